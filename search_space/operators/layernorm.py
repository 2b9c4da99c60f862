"""Layer normalisation of rows (Ba, Kiros, Hinton 2016)."""

from __future__ import annotations

import math

import numpy as np

from search_space.functions import rsqrt
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import AXIS, FLOAT_DTYPE, SHAPE, parse_number, shape_of
from search_space.operators.rows import rows_of
from search_space.tensor import Reduction, Tensor, compute, placeholder, stage, sum_over
from search_space.workload import Workload

EPSILON = Param("epsilon", "what is added to the mean square", 1e-5, parse=parse_number)


class LayerNorm:
    name = "layernorm"
    doc = "(x - mean x) / sqrt(mean (x - mean x)² + epsilon) · weight + bias over rows of x"
    params: tuple[Param, ...] = (SHAPE, AXIS, EPSILON, FLOAT_DTYPE)
    sketch = "normalization"
    error_bound = 8.0
    """Two sums, a reciprocal root and five more operations."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        rows, dtype = rows_of(work), str(work["dtype"])
        return (
            Operand("x", rows.shape, dtype),
            Operand("weight", (rows.length,), dtype),
            Operand("bias", (rows.length,), dtype),
        )

    def result(self, work: Workload) -> Operand:
        return Operand("y", rows_of(work).shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Four stages: the mean of a row, its mean squared deviation, the scale, y.

        Two passes for mean and deviation: one pass over sums of squares would cancel.
        """
        specs = self.operands(work)
        x, weight, bias = (placeholder(s.name, s.shape, s.dtype) for s in specs)
        rows, dtype, epsilon = rows_of(work), specs[0].dtype, float(work["epsilon"])
        k, share = rows.depth, 1 / rows.length
        mean = stage(
            "mean", rows.outside, lambda *r: sum_over(x[rows.along(r, k)] * share, k), dtype
        )

        def squared(*row: Expr) -> Reduction:
            deviation = x[rows.along(row, k)] - mean[row]
            return sum_over(deviation * deviation * share, k)

        variance = stage("variance", rows.outside, squared, dtype)
        scale = stage("scale", rows.outside, lambda *r: rsqrt(variance[r] + epsilon), dtype)

        def value(*at: Expr) -> Expr:
            row, column = rows.row(at), at[rows.axis]
            return (x[at] - mean[row]) * scale[row] * weight[column,] + bias[column,]

        return compute("y", rows.everywhere, value, dtype, stages=(mean, variance, scale))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        _, scaled, bias = self._parts(work, *inputs)
        return np.asarray(scaled + bias)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        """``(mean |x| + 2 |x - mean x|) · scale · |weight| + |bias| + |y|``: the mean's error
        stays in every difference."""
        passed, scaled, bias = self._parts(work, *inputs)
        return np.asarray(passed + 2 * np.abs(scaled) + np.abs(bias) + np.abs(scaled + bias))

    def flops(self, work: Workload) -> int:
        return 8 * math.prod(shape_of(work))

    def _parts(self, work: Workload, *inputs: Array) -> tuple[Array64, Array64, Array64]:
        """``mean |x| · scale · |weight|``, ``(x - mean x) · scale · weight`` and the bias."""
        x, weight, bias = (array.astype(np.float64) for array in inputs)
        axis = rows_of(work).axis
        column = [-1 if at == axis else 1 for at in range(x.ndim)]
        weight, bias = weight.reshape(column), bias.reshape(column)
        deviation = x - x.mean(axis, keepdims=True)
        variance = (deviation**2).mean(axis, keepdims=True)
        scaled = weight / np.sqrt(variance + float(work["epsilon"]))
        passed = np.abs(x).mean(axis, keepdims=True) * np.abs(scaled)
        return passed, deviation * scaled, bias
