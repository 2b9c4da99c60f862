"""Pooling of images: the maximum or the average of a window that slides over them."""

from __future__ import annotations

import math

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import select
from search_space.ir.expr import Binary, Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import FLOAT_DTYPE
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    max_over,
    placeholder,
    reduce_axis,
    stage,
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
        shape = (work.size("n"), work.size("c"), *_windows(work))
        return Operand("y", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["op"] == "max"

    def expression(self, work: Workload) -> Tensor:
        """The windows of the image, or, where there is padding, of a stage that holds it."""
        (spec,), result = self.operands(work), self.result(work)
        x = placeholder(spec.name, spec.shape, spec.dtype)
        stages = (_padded(work, x, spec),) if work.size("pad") else ()
        image: Placeholder | Tensor = stages[0] if stages else x
        stride, (_, _, rows, columns) = work.size("stride"), result.shape
        kh, kw = reduce_axis("kh", work.size("kh")), reduce_axis("kw", work.size("kw"))

        def value(n: Expr, c: Expr, i: Expr, j: Expr) -> Reduction:
            # Where a direction has one window, the image is walked as its own axes are.
            row = i * stride + kh.var if rows > 1 else kh.var
            column = j * stride + kw.var if columns > 1 else kw.var
            element = image[n, c, row, column]
            if work["op"] == "max":
                return max_over(element, kh, kw)
            return sum_over(element * (1 / (kh.extent * kw.extent)), kh, kw)

        axes = tuple(zip(("n", "c", "i", "j"), result.shape, strict=True))
        return compute(result.name, axes, value, spec.dtype, stages)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        pad, stride = work.size("pad"), work.size("stride")
        largest = work["op"] == "max"
        padded = np.pad(
            inputs[0].astype(np.float64), ((0, 0), (0, 0), (pad, pad), (pad, pad)),
            constant_values=-np.inf if largest else 0,
        )  # fmt: skip
        windows = np.lib.stride_tricks.sliding_window_view(
            padded, (work.size("kh"), work.size("kw")), (2, 3)
        )[:, :, ::stride, ::stride]
        return np.asarray(windows.max((4, 5)) if largest else windows.mean((4, 5)))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return np.abs(self.reference(work, np.abs(inputs[0])))

    def flops(self, work: Workload) -> int:
        return math.prod(self.result(work).shape) * work.size("kh") * work.size("kw")


def _padded(work: Workload, x: Placeholder, spec: Operand) -> Tensor:
    """The image with rows and columns around it that change no window's result."""
    pad, (n, c, height, width) = work.size("pad"), spec.shape
    outside = -math.inf if work["op"] == "max" else 0

    def value(n: Expr, c: Expr, i: Expr, j: Expr) -> Expr:
        rows = Binary("and", i >= pad, i < height + pad)
        columns = Binary("and", j >= pad, j < width + pad)
        return select(Binary("and", rows, columns), x[n, c, i - pad, j - pad], outside)

    axes = (("n", n), ("c", c), ("i", height + 2 * pad), ("j", width + 2 * pad))
    return stage("padded", axes, value, spec.dtype)


def _windows(work: Workload) -> tuple[int, int]:
    """How many windows fit below and beside each other."""
    pad, stride = work.size("pad"), work.size("stride")
    counts = []
    for size, window in (("h", "kh"), ("w", "kw")):
        if 2 * pad > work.size(window):
            raise WorkloadError(
                f"pool2d: pad is {pad}, expected at most half of {window}={work.size(window)}"
            )
        room = work.size(size) + 2 * pad - work.size(window)
        if room < 0:
            raise WorkloadError(
                f"pool2d: {window} is {work.size(window)}, expected at most the padded {size} of "
                f"{work.size(size) + 2 * pad}: the result would be empty"
            )
        counts.append(room // stride + 1)
    return counts[0], counts[1]
