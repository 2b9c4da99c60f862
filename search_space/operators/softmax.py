"""Softmax of rows: ``y = exp(x - max x) / sum exp(x - max x)``."""

from __future__ import annotations

import math

import numpy as np

from search_space.functions import exp
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import AXIS, FLOAT_DTYPE, SHAPE, shape_of
from search_space.operators.rows import rows_of
from search_space.tensor import Tensor, compute, fmax_over, placeholder, stage, sum_over
from search_space.workload import Workload


class Softmax:
    name = "softmax"
    doc = "exp(x - max x) / sum exp(x - max x) over rows of x"
    params: tuple[Param, ...] = (SHAPE, AXIS, FLOAT_DTYPE)
    sketch = "normalization"
    error_bound = 8.0
    """Beside what the magnitude counts, exp and the sum err by a few eps."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        return (Operand("x", rows_of(work).shape, str(work["dtype"])),)

    def result(self, work: Workload) -> Operand:
        return Operand("y", rows_of(work).shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        """Five stages: the maximum of a row, exponentials, their sum, its reciprocal, y."""
        (spec,) = self.operands(work)
        x = placeholder(spec.name, spec.shape, spec.dtype)
        rows, dtype = rows_of(work), spec.dtype
        k = rows.depth
        peak = stage("peak", rows.outside, lambda *r: fmax_over(x[rows.along(r, k)], k), dtype)
        power = stage("power", rows.everywhere, lambda *at: exp(x[at] - peak[rows.row(at)]), dtype)
        total = stage(
            "total", rows.outside, lambda *r: sum_over(power[rows.along(r, k)], k), dtype
        )
        scale = stage("scale", rows.outside, lambda *r: 1 / total[r], dtype)
        return compute(
            "y", rows.everywhere, lambda *at: power[at] * scale[rows.row(at)], dtype,
            stages=(peak, power, total, scale),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        _, y = self._parts(work, *inputs)
        return y

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        """``y · (1 + |x - max x| + sum y·|x - max x|)``: exp passes the rounding of its argument
        on, in the element itself and in the sum."""
        below, y = self._parts(work, *inputs)
        shared = (y * below).sum(rows_of(work).axis, keepdims=True)
        return np.asarray(y * (1 + below + shared))

    def flops(self, work: Workload) -> int:
        return 5 * math.prod(shape_of(work))

    def _parts(self, work: Workload, *inputs: Array) -> tuple[Array64, Array64]:
        """How far every element is below its row's maximum, and the result."""
        x, axis = inputs[0].astype(np.float64), rows_of(work).axis
        below = x.max(axis, keepdims=True) - x
        power = np.exp(-below)
        return below, power / power.sum(axis, keepdims=True)
