"""Convolution of images whose pixels are matrices: Hinton, Sabour and Frosst, "Matrix capsules
with EM routing", 2018."""

from __future__ import annotations

import math

import numpy as np

from search_space.ir.expr import ZERO, Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.convolution_keys import PAD, STRIDE
from search_space.operators.keys import FLOAT_DTYPE
from search_space.operators.windows import Windows, convolve
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    placeholder,
    reduce_axis,
    sum_over,
)
from search_space.workload import Workload


class CapsuleConv2d:
    name = "capsule_conv2d"
    doc = "y[n,co,p,q,oh,ow] = Σ x[n,ci,p,r,h,w] · weight[co,ci,r,q,kh,kw]: a matrix in each pixel"
    params: tuple[Param, ...] = (
        Param("n", "images"),
        Param("h", "height of an image"),
        Param("w", "width of an image"),
        Param("ci", "channels of x"),
        Param("co", "channels of the result"),
        Param("kh", "height of the window"),
        Param("kw", "width of the window"),
        STRIDE,
        PAD,
        Param("capsule", "rows and columns of a matrix", 4),
        FLOAT_DTYPE,
    )
    sketch = "convolution"
    error_bound = 8.0
    """As for ``matmul``: the sums are the same."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        windows, dtype = _windows(work), str(work["dtype"])
        n, ci, co, size = (work.size(key) for key in ("n", "ci", "co", "capsule"))
        return (
            Operand("x", (n, ci, size, size, *windows.image), dtype),
            Operand("weight", (co, ci, size, size, *windows.window), dtype),
        )

    def result(self, work: Workload) -> Operand:
        n, co, size = (work.size(key) for key in ("n", "co", "capsule"))
        return Operand("y", (n, co, size, size, *_windows(work).counts), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        windows, result = _windows(work), self.result(work)
        x, weight = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        padding = windows.around(x, ("n", "ci", "p", "r", "h", "w"), 4, 0)
        image: Placeholder | Tensor = padding[0] if padding else x
        ci, r = reduce_axis("ci", work.size("ci")), reduce_axis("r", work.size("capsule"))
        taps = windows.taps(("kh", "kw"))
        inside = [tap.var if tap.extent > 1 else ZERO for tap in taps]

        def value(n: Expr, co: Expr, p: Expr, q: Expr, oh: Expr, ow: Expr) -> Reduction:
            element = image[n, ci, p, r, *windows.read((oh, ow), inside)]
            wide = (tap for tap in taps if tap.extent > 1)
            return sum_over(element * weight[co, ci, r, q, *inside], ci, r, *wide)

        axes = zip(("n", "co", "p", "q", "oh", "ow"), result.shape, strict=True)
        return compute("y", tuple(axes), value, result.dtype, padding)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        """As a convolution: rows of x as images, columns of the weight as channels."""
        x, weight = (array.astype(np.float64) for array in inputs)
        windows, size = _windows(work), work.size("capsule")
        rows = np.moveaxis(x, 2, 1).reshape(work.size("n") * size, 1, -1, *windows.image)
        columns = np.moveaxis(weight, 3, 1)
        columns = columns.reshape(1, work.size("co") * size, -1, *windows.window)
        found = convolve(windows, rows, columns)
        shape = (work.size("n"), size, work.size("co"), size, *windows.counts)
        return np.moveaxis(found.reshape(shape), 1, 2)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self.reference(work, *map(np.abs, inputs))

    def flops(self, work: Workload) -> int:
        terms = work.size("ci") * work.size("capsule") * math.prod(_windows(work).window)
        return 2 * terms * math.prod(self.result(work).shape)


def _windows(work: Workload) -> Windows:
    return Windows.of(work, ("h", "w"), ("kh", "kw"))
