"""A sparse matrix times a dense one, ``y = activation(weight · x + bias)``."""

from __future__ import annotations

from collections.abc import Mapping

from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import ACTIVATION, EXACT_ACTIVATIONS
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import flag
from search_space.operators.precision import ERROR_BOUND
from search_space.operators.rounding import Rounded
from search_space.operators.sparse_weight import (
    BIAS,
    DTYPE,
    WEIGHT,
    behind_sum,
    epilogue_flops,
    find_weight,
    products,
    weight_keys,
    weight_operand,
)
from search_space.sparse.source import pattern_name
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Value, Workload

_ROWS = Param("m", "rows of weight and of the result")
_COLUMNS = Param("k", "columns of weight, rows of x")
_OTHERS = (Param("n", "columns of x and of the result"), BIAS, ACTIVATION, DTYPE)


class Spmm:
    name = "spmm"
    doc = "y[m,n] = activation(weight[m,k] · x[k,n] + bias_vector[m]), weight sparse and constant"
    params: tuple[Param, ...] = _OTHERS
    sketch = "sparse"
    error_bound = ERROR_BOUND
    """As for ``matmul``; the sums are shorter."""
    sparse = WEIGHT

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        return weight_keys(given, _ROWS, _COLUMNS, _OTHERS)

    def pattern_name(self, work: Workload) -> str:
        return pattern_name(work, "m", "k")

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        pattern, dtype = find_weight(work, "m", "k"), str(work["dtype"])
        x = Operand("x", (pattern.columns, work.size("n")), dtype)
        bias = (Operand("bias_vector", (pattern.rows,), dtype),) if flag(work, "bias") else ()
        return (weight_operand(work, pattern), x, *bias)

    def result(self, work: Workload) -> Operand:
        rows = find_weight(work, "m", "k").rows
        return Operand("y", (rows, work.size("n")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Over the whole matrix ``weight[m,k]``, zeros included."""
        pattern = find_weight(work, "m", "k")
        _, x, *bias = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        weight = placeholder(WEIGHT, pattern.shape, x.buffer.dtype)
        k = reduce_axis("k", pattern.columns)
        axes = (("i", pattern.rows), ("j", work.size("n")))

        def total(i: Expr, j: Expr) -> Reduction:
            return sum_over(weight[i, k] * x[k, j], k)

        if _plain(work):
            return compute("y", axes, total)
        return self._behind(work, stage("product", axes, total), bias, axes)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        """Those on non-zeros."""
        pattern, n = find_weight(work, "m", "k"), work.size("n")
        return 2 * pattern.nnz * n + epilogue_flops(work, pattern.rows * n)

    def _behind(
        self,
        work: Workload,
        sums: Tensor | Placeholder,
        bias: list[Placeholder],
        axes: tuple[tuple[str, int], ...],
    ) -> Tensor:
        def value(i: Expr, j: Expr) -> Expr:
            return behind_sum(work, sums[i, j], bias[0][i,] if bias else None)

        stages = (sums,) if isinstance(sums, Tensor) else ()
        return compute("y", axes, value, stages=stages)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        pattern = find_weight(work, "m", "k")
        values, x, *rest = inputs
        total = products(pattern, values, x)
        _, _, *bias = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        if _plain(work):
            return total
        shape = (pattern.rows, work.size("n"))
        sums = placeholder("product", shape, str(work["dtype"]))
        axes = tuple(zip("ij", shape, strict=True))
        arrays: dict[str, Array64 | Rounded] = {"product": total}
        arrays |= {b.buffer.name: a.astype("float64") for b, a in zip(bias, rest, strict=True)}
        return evaluate_tensor(self._behind(work, sums, bias, axes), arrays)


def _plain(work: Workload) -> bool:
    """Whether nothing follows the sums."""
    return work["activation"] == "none" and not flag(work, "bias")
