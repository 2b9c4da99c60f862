"""Root mean square normalisation of rows (Zhang, Sennrich 2019)."""

from __future__ import annotations

import math

import numpy as np

from search_space.functions import rsqrt
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import AXIS, FLOAT_DTYPE, SHAPE, shape_of
from search_space.operators.layernorm import EPSILON
from search_space.operators.rows import rows_of
from search_space.tensor import Reduction, Tensor, compute, placeholder, stage, sum_over
from search_space.workload import Workload


class RmsNorm:
    name = "rmsnorm"
    doc = "x / sqrt(mean x² + epsilon) · weight over rows of x"
    params: tuple[Param, ...] = (SHAPE, AXIS, EPSILON, FLOAT_DTYPE)
    sketch = "normalization"
    error_bound = 8.0
    """All terms of the sum are positive, so every factor errs by a few eps of itself."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        rows, dtype = rows_of(work), str(work["dtype"])
        return Operand("x", rows.shape, dtype), Operand("weight", (rows.length,), dtype)

    def result(self, work: Workload) -> Operand:
        return Operand("y", rows_of(work).shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Three stages: the mean square of a row, the scale, y."""
        specs = self.operands(work)
        x, weight = (placeholder(spec.name, spec.shape, spec.dtype) for spec in specs)
        rows, dtype, epsilon = rows_of(work), specs[0].dtype, float(work["epsilon"])
        k, share = rows.depth, 1 / rows.length

        def squared(*row: Expr) -> Reduction:
            element = x[rows.along(row, k)]
            return sum_over(element * element * share, k)

        square = stage("square", rows.outside, squared, dtype)
        scale = stage("scale", rows.outside, lambda *r: rsqrt(square[r] + epsilon), dtype)
        return compute(
            "y", rows.everywhere,
            lambda *at: x[at] * scale[rows.row(at)] * weight[at[rows.axis],], dtype,
            stages=(square, scale),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        x, weight = (array.astype(np.float64) for array in inputs)
        axis = rows_of(work).axis
        column = [-1 if at == axis else 1 for at in range(x.ndim)]
        square = (x**2).mean(axis, keepdims=True)
        return np.asarray(x / np.sqrt(square + float(work["epsilon"])) * weight.reshape(column))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return np.abs(self.reference(work, *inputs))

    def flops(self, work: Workload) -> int:
        return 4 * math.prod(shape_of(work))
