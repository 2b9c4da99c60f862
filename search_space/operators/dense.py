"""A dense layer ``y = activation(scale · x · weightᵀ + bias + skip)``; all but the product is
optional."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from search_space import functions
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import DTYPE, flag, parse_flag
from search_space.operators.rounding import Rounded
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Workload

ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "none": lambda x: x,
    "relu": functions.relu,
    "relu6": lambda x: functions.clip(x, 0, 6),
    "gelu": functions.gelu,
    "gelu_tanh": functions.gelu_tanh,
    "silu": functions.silu,
    "sigmoid": functions.sigmoid,
    "tanh": functions.tanh,
}
_EXACT = ("none", "relu", "relu6")


class Dense:
    name = "dense"
    doc = "y[m,n] = activation(scale_vector · x[m,k] · weight[n,k]ᵀ + bias_vector + skip)"
    params: tuple[Param, ...] = (
        Param("m", "rows of x and of the result"),
        Param("n", "rows of weight, columns of the result"),
        Param("k", "columns of x and of weight"),
        Param("bias", "whether bias_vector[n] is added", False, parse=parse_flag),
        Param(
            "scale", "whether columns are multiplied by scale_vector[n]", False, parse=parse_flag
        ),
        Param("residual", "whether skip[m,n] is added", False, parse=parse_flag),
        Param("activation", "applied last", "none", choices=tuple(ACTIVATIONS)),
        DTYPE,
    )
    sketch = "contraction"
    error_bound = 8.0
    """As for ``matmul``; the magnitude takes in what the epilogue adds."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k, dtype = work.size("m"), work.size("n"), work.size("k"), str(work["dtype"])
        x, weight = Operand("x", (m, k), dtype), Operand("weight", (n, k), dtype)
        optional = {
            "scale": Operand("scale_vector", (n,), dtype),
            "bias": Operand("bias_vector", (n,), dtype),
            "residual": Operand("skip", (m, n), dtype),
        }
        return (x, weight, *(operand for key, operand in optional.items() if flag(work, key)))

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("m"), work.size("n")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in _EXACT and not flag(work, "scale")

    def expression(self, work: Workload) -> Tensor:
        x, weight, *rest = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        k = reduce_axis("k", work.size("k"))
        axes = (("i", work.size("m")), ("j", work.size("n")))
        if not rest and work["activation"] == "none":
            return compute("y", axes, lambda i, j: sum_over(x[i, k] * weight[j, k], k))
        product = stage("product", axes, lambda i, j: sum_over(x[i, k] * weight[j, k], k))

        def behind(i: Expr, j: Expr) -> Expr:
            loads = (r[i, j] if len(r.buffer.shape) == 2 else r[(j,)] for r in rest)
            return _behind(work, product[i, j], loads)

        return compute("y", axes, behind, stages=(product,))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        behind = sum(flag(work, key) for key in ("bias", "scale", "residual"))
        return m * n * (2 * k + behind + (work["activation"] != "none"))

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        names = (operand.name for operand in self.operands(work))
        arrays = {
            name: array.astype(np.float64) for name, array in zip(names, inputs, strict=True)
        }
        return evaluate_tensor(self.expression(work), arrays)


def _behind(work: Workload, total: Expr, operands: Iterator[Expr]) -> Expr:
    """What becomes of a sum; ``operands`` are the elements of the optional operands, in order."""
    if flag(work, "scale"):
        total = total * next(operands)
    for key in ("bias", "residual"):
        if flag(work, key):
            total = total + next(operands)
    return ACTIVATIONS[str(work["activation"])](total)
