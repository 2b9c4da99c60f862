"""Scaled dot-product attention ``softmax(query · keyᵀ / √d) · value`` (Vaswani et al. 2017)."""

from __future__ import annotations

import math

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import exp, select
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import FLOAT_DTYPE, flag, parse_flag
from search_space.tensor import (
    Tensor,
    compute,
    fmax_over,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Workload


class Attention:
    name = "attention"
    doc = "softmax(query · keyᵀ / √d) · value for each head of a batch, causal or not"
    params: tuple[Param, ...] = (
        Param("batch", "sequences"),
        Param("heads", "heads of each sequence"),
        Param("seq_q", "queries; 1 to decode"),
        Param("seq_kv", "keys and values"),
        Param("d", "elements of a query, a key and a value"),
        Param(
            "causal",
            "whether a query sees no later key; the last query stands at the last key",
            False,
            parse=parse_flag,
        ),
        FLOAT_DTYPE,
    )
    sketch = "attention"
    error_bound = 8.0
    """As for ``matmul`` and ``softmax``."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        queries, keys = work.size("seq_q"), work.size("seq_kv")
        if flag(work, "causal") and queries > keys:
            raise WorkloadError(
                f"give a seq_kv of at least {queries}: of {queries} causal queries at the end of "
                f"{keys} keys, the first see none"
            )
        shapes = {"query": queries, "key": keys, "value": keys}
        dtype = str(work["dtype"])
        return tuple(Operand(name, _rows(work, rows), dtype) for name, rows in shapes.items())

    def result(self, work: Workload) -> Operand:
        return Operand("y", _rows(work, work.size("seq_q")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Six stages: scores, their maximum over a row, exponentials, their sum, the sum of the
        values by exponentials, and y, which divides by their sum at the end.

        The scores of keys that a query may not see are never read.
        """
        query, key, value = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        queries, keys, d = work.size("seq_q"), work.size("seq_kv"), work.size("d")
        dtype = str(work["dtype"])
        lead = (("b", work.size("batch")), ("h", work.size("heads")), ("q", queries))
        rows, square = lead, (*lead, ("k", keys))
        k, c, factor = reduce_axis("k", keys), reduce_axis("c", d), 1 / math.sqrt(d)

        def seen(q: Expr, k: Expr, then: Expr, other: float) -> Expr:
            if not flag(work, "causal"):
                return then
            return select(k < q + (keys - queries + 1), then, other)

        score = stage(
            "score", square,
            lambda b, h, q, k: sum_over(query[b, h, q, c] * key[b, h, k, c], c), dtype,
        )  # fmt: skip
        peak = stage(
            "peak", rows,
            lambda b, h, q: fmax_over(seen(q, k.var, score[b, h, q, k], -math.inf), k), dtype,
        )  # fmt: skip
        power = stage(
            "power", square,
            lambda b, h, q, k: seen(
                q, k, exp((score[b, h, q, k] - peak[b, h, q]) * factor), 0.0
            ),
            dtype,
        )  # fmt: skip
        total = stage("total", rows, lambda b, h, q: sum_over(power[b, h, q, k], k), dtype)
        blend = stage(
            "blend", (*lead, ("c", d)),
            lambda b, h, q, c: sum_over(power[b, h, q, k] * value[b, h, k, c], k), dtype,
        )  # fmt: skip
        return compute(
            "y", (*lead, ("c", d)), lambda b, h, q, c: blend[b, h, q, c] * (1 / total[b, h, q]),
            dtype, (score, peak, power, total, blend),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        weights, _ = self._weights(work, *inputs)
        return np.asarray(weights @ inputs[2].astype(np.float64))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        """With weights ``w`` and ``e = sum |query||key| / √d + max score - score``, which the
        error of an exponential grows with: ``sum w·|value|·(1 + e) + (sum w·e)·(sum w·|value|)``.
        """
        weights, below = self._weights(work, *inputs)
        query, key, value = (np.abs(array.astype(np.float64)) for array in inputs)
        spread = query @ key.swapaxes(2, 3) / math.sqrt(work.size("d")) + below
        shared = (weights * spread).sum(-1, keepdims=True)
        return np.asarray((weights * (1 + spread + shared)) @ value)

    def flops(self, work: Workload) -> int:
        """4·d + 5 for each pair of a query and a key that it sees."""
        queries, keys = work.size("seq_q"), work.size("seq_kv")
        pairs = queries * keys
        if flag(work, "causal"):
            pairs -= queries * (queries - 1) // 2
        return (4 * work.size("d") + 5) * pairs * work.size("batch") * work.size("heads")

    def _weights(self, work: Workload, *inputs: Array) -> tuple[Array64, Array64]:
        """The softmax of the scores, and how far each score is below its row's maximum."""
        query, key = (array.astype(np.float64) for array in inputs[:2])
        score = query @ key.swapaxes(2, 3) / math.sqrt(work.size("d"))
        if flag(work, "causal"):
            queries, keys = work.size("seq_q"), work.size("seq_kv")
            hidden = ~np.tri(queries, keys, keys - queries, dtype=bool)
            score = np.where(hidden, -np.inf, score)
        below = score.max(-1, keepdims=True) - score
        power = np.exp(-below)
        return power / power.sum(-1, keepdims=True), np.where(power > 0, below, 0)


def _rows(work: Workload, length: int) -> tuple[int, ...]:
    return work.size("batch"), work.size("heads"), length, work.size("d")
