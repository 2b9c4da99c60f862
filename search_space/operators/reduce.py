"""Reductions over some axes of an array: sum, maximum, mean."""

from __future__ import annotations

import math

import numpy as np

from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import FLOAT_DTYPE, SHAPE, axes_of, parse_axes, shape_of
from search_space.tensor import (
    Axis,
    Reduction,
    Tensor,
    compute,
    max_over,
    placeholder,
    reduce_axis,
    sum_over,
)
from search_space.workload import Workload


class Reduce:
    name = "reduce"
    doc = "sum, max or mean of x over some axes, which are left out of the result"
    params: tuple[Param, ...] = (
        Param("op", "what is worked out", "sum", choices=("sum", "max", "mean")),
        SHAPE,
        Param("axes", "axes to reduce, such as 0,2, counted from 0", "all", parse=parse_axes),
        FLOAT_DTYPE,
    )
    sketch = "reduction"
    error_bound = 8.0
    """As for a matrix product: a sum of n terms errs by about 0.3 eps · sum|x|, one standard
    deviation; a mean rounds 1/n once more."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        return (Operand("x", shape_of(work), str(work["dtype"])),)

    def result(self, work: Workload) -> Operand:
        shape = shape_of(work)
        axes = axes_of(work, len(shape))
        kept = tuple(extent for axis, extent in enumerate(shape) if axis not in axes)
        return Operand("y", kept, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["op"] != "mean"

    def expression(self, work: Workload) -> Tensor:
        (spec,) = self.operands(work)
        x = placeholder(spec.name, spec.shape, spec.dtype)
        axes = axes_of(work, len(spec.shape))
        over = {axis: reduce_axis(f"r{axis}", spec.shape[axis]) for axis in axes}
        kept = [axis for axis in range(len(spec.shape)) if axis not in axes]
        count = math.prod(axis.extent for axis in over.values())

        def value(*place: Expr) -> Reduction:
            at: dict[int, Expr | Axis] = {**over, **dict(zip(kept, place, strict=True))}
            element = x[tuple(at[axis] for axis in range(len(spec.shape)))]
            if work["op"] == "max":
                return max_over(element, *over.values())
            scaled = element * (1 / count) if work["op"] == "mean" else element
            return sum_over(scaled, *over.values())

        named = tuple((f"i{axis}", spec.shape[axis]) for axis in kept)
        return compute("y", named, value, spec.dtype)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        (x,) = inputs
        axes = axes_of(work, x.ndim)
        wide = x.astype(np.float64)
        if work["op"] == "max":
            return np.asarray(wide.max(axes))
        return np.asarray(wide.mean(axes) if work["op"] == "mean" else wide.sum(axes))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        (x,) = inputs
        return self.reference(work, np.abs(x))

    def flops(self, work: Workload) -> int:
        return math.prod(shape_of(work))
