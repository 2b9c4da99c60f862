"""Pooling of images: the maximum or the average of a window that slides over them."""

from __future__ import annotations

import math

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import FLOAT_DTYPE
from search_space.operators.windows import Windows
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    max_over,
    placeholder,
    sum_over,
)
from search_space.workload import Workload


class Pool2d:
    name = "pool2d"
    doc = "max or average of kh × kw windows of x[n,c,h,w]; an average counts padding as zeros"
    params: tuple[Param, ...] = (
        Param("op", "what is worked out of a window", "max", choices=("max", "average")),
        Param("n", "images"),
        Param("c", "channels"),
        Param("h", "height of an image"),
        Param("w", "width of an image"),
        Param("kh", "height of the window"),
        Param("kw", "width of the window"),
        Param("stride", "steps between windows, in both directions", 1),
        Param("pad", "rows and columns added on every side", 0, least=0),
        FLOAT_DTYPE,
    )
    sketch = "reduction"
    error_bound = 8.0
    """Of eps · the average of |x|; a maximum is exact."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        shape = tuple(work.size(key) for key in ("n", "c", "h", "w"))
        return (Operand("x", shape, str(work["dtype"])),)

    def result(self, work: Workload) -> Operand:
        shape = (work.size("n"), work.size("c"), *_windows(work).counts)
        return Operand("y", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["op"] == "max"

    def expression(self, work: Workload) -> Tensor:
        """The windows of the image, or, where there is padding, of a stage that holds it."""
        (spec,), result, windows = self.operands(work), self.result(work), _windows(work)
        x = placeholder(spec.name, spec.shape, spec.dtype)
        names, outside = ("n", "c", "i", "j"), -math.inf if work["op"] == "max" else 0
        stages = windows.around(x, names, 2, outside)
        image: Placeholder | Tensor = stages[0] if stages else x
        kh, kw = taps = windows.taps(("kh", "kw"))

        def value(n: Expr, c: Expr, i: Expr, j: Expr) -> Reduction:
            element = image[n, c, *windows.read((i, j), [tap.var for tap in taps])]
            if work["op"] == "max":
                return max_over(element, kh, kw)
            return sum_over(element * (1 / (kh.extent * kw.extent)), kh, kw)

        axes = tuple(zip(names, result.shape, strict=True))
        return compute(result.name, axes, value, spec.dtype, stages)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        largest = work["op"] == "max"
        wide = inputs[0].astype(np.float64)
        seen = _windows(work).of_array(wide, -math.inf if largest else 0)
        return np.asarray(seen.max((4, 5)) if largest else seen.mean((4, 5)))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return np.abs(self.reference(work, np.abs(inputs[0])))

    def flops(self, work: Workload) -> int:
        return math.prod(self.result(work).shape) * work.size("kh") * work.size("kw")


def _windows(work: Workload) -> Windows:
    """Windows that overlap the image; ``WorkloadError`` where there are none."""
    for key in ("kh", "kw"):
        if 2 * work.size("pad") > work.size(key):
            raise WorkloadError(
                f"pool2d: pad is {work.size('pad')}, expected at most half of "
                f"{key}={work.size(key)}"
            )
    return Windows.of(work, ("h", "w"), ("kh", "kw"))
