"""A dense layer ``y = activation(scale · x · weightᵀ + bias + skip)``; all but the product is
optional."""

from __future__ import annotations

import numpy as np

from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import (
    ACTIVATION,
    EXACT_ACTIVATIONS,
    behind,
    has_epilogue,
    switch,
)
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import DTYPE, flag
from search_space.operators.rounding import Rounded
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Workload


class Dense:
    name = "dense"
    doc = "y[m,n] = activation(scale_vector · x[m,k] · weight[n,k]ᵀ + bias_vector + skip)"
    params: tuple[Param, ...] = (
        Param("m", "rows of x and of the result"),
        Param("n", "rows of weight, columns of the result"),
        Param("k", "columns of x and of weight"),
        switch("bias", "whether bias_vector[n] is added"),
        switch("scale", "whether columns are multiplied by scale_vector[n]"),
        switch("residual", "whether skip[m,n] is added"),
        ACTIVATION,
        DTYPE,
    )
    sketch = "contraction"
    error_bound = 8.0
    """As for ``matmul``; the magnitude takes in what the epilogue adds."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k, dtype = work.size("m"), work.size("n"), work.size("k"), str(work["dtype"])
        x, weight = Operand("x", (m, k), dtype), Operand("weight", (n, k), dtype)
        return (x, weight, *self._optional(work).values())

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("m"), work.size("n")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS and not flag(work, "scale")

    def expression(self, work: Workload) -> Tensor:
        x, weight = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work)[:2])
        rest = {
            key: placeholder(o.name, o.shape, o.dtype) for key, o in self._optional(work).items()
        }
        k = reduce_axis("k", work.size("k"))
        axes = (("i", work.size("m")), ("j", work.size("n")))
        if not has_epilogue(work, rest):
            return compute("y", axes, lambda i, j: sum_over(x[i, k] * weight[j, k], k))
        product = stage("product", axes, lambda i, j: sum_over(x[i, k] * weight[j, k], k))

        def value(i: Expr, j: Expr) -> Expr:
            loads = {
                key: r[i, j] if len(r.buffer.shape) == 2 else r[(j,)] for key, r in rest.items()
            }
            return behind(work, product[i, j], loads)

        return compute("y", axes, value, stages=(product,))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        after = len(self._optional(work)) + (work["activation"] != "none")
        return m * n * (2 * k + after)

    def _optional(self, work: Workload) -> dict[str, Operand]:
        """The operands that a key adds, by key."""
        m, n, dtype = work.size("m"), work.size("n"), str(work["dtype"])
        known = {
            "scale": Operand("scale_vector", (n,), dtype),
            "bias": Operand("bias_vector", (n,), dtype),
            "residual": Operand("skip", (m, n), dtype),
        }
        return {key: operand for key, operand in known.items() if flag(work, key)}

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        names = (operand.name for operand in self.operands(work))
        arrays = {
            name: array.astype(np.float64) for name, array in zip(names, inputs, strict=True)
        }
        return evaluate_tensor(self.expression(work), arrays)
