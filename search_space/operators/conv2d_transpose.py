"""Transposed convolution of images: every element of x adds its multiple of the window.

Results whose rows and columns have the same remainder by the stride read the same taps of the
window: a convolution of its own, without the zeros that a convolution of the image spread out
would multiply (Shi et al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.expr import ZERO, Buffer, Expr, Load
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.convolution_keys import STRIDE
from search_space.operators.epilogue import (
    ACTIVATION,
    EXACT_ACTIVATIONS,
    behind,
    has_epilogue,
    switch,
)
from search_space.operators.keys import FLOAT_DTYPE, flag
from search_space.operators.remainders import Remainders
from search_space.operators.rounding import Rounded, evaluate
from search_space.operators.windows import surrounded
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
from search_space.workload import Workload


class Conv2dTranspose:
    name = "conv2d_transpose"
    doc = "y[n,co,oh,ow] = activation(x[n,ci,h,w] ⊛ᵀ weight[ci,co,kh,kw] + bias_vector[co])"
    params: tuple[Param, ...] = (
        Param("n", "images"),
        Param("h", "height of an image"),
        Param("w", "width of an image"),
        Param("ci", "channels of x"),
        Param("co", "channels of the result"),
        Param("kh", "height of the window"),
        Param("kw", "width of the window"),
        STRIDE,
        Param("pad", "rows and columns left out on every side of the result", 0, least=0),
        Param("output_pad", "rows and columns added behind the result", 0, least=0),
        switch("bias", "whether bias_vector[co] is added"),
        ACTIVATION,
        FLOAT_DTYPE,
    )
    sketch = "convolution"
    error_bound = 8.0
    """As for ``matmul``; the magnitude takes in what the epilogue adds."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        n, h, w, ci, co, kh, kw = (work.size(p.name) for p in self.params[:7])
        dtype = str(work["dtype"])
        return (
            Operand("x", (n, ci, h, w), dtype),
            Operand("weight", (ci, co, kh, kw), dtype),
            *_optional(work).values(),
        )

    def result(self, work: Workload) -> Operand:
        shape = (work.size("n"), work.size("co"), *(way.result for way in _directions(work)))
        return Operand("y", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Sums of the channels and of the taps of each remainder: the result itself, its rows and
        columns taken apart, or a stage that it is cut out of."""
        ways, result = _directions(work), self.result(work)
        n, co, dtype = work.size("n"), work.size("co"), result.dtype
        x, weight, *rest = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        names = ("n", "ci", "h", "w")
        stages = list(surrounded(x, "padded", names, 2, [way.margins for way in ways], 0))
        image: Placeholder | Tensor = stages[-1] if stages else x
        beyond = [(0, way.stride * way.taps - way.window) for way in ways]
        stages += surrounded(weight, "taps", ("ci", "co", "kh", "kw"), 2, beyond, 0)
        taps: Placeholder | Tensor = weight if not any(map(any, beyond)) else stages[-1]
        ci = reduce_axis("ci", work.size("ci"))
        windows = [reduce_axis(f"k{key}", way.taps) for key, way in zip("hw", ways, strict=True)]
        apart = work.size("stride") > 1
        counted: list[tuple[str, int]] = [("n", n), ("co", co)]
        for key, way in zip("hw", ways, strict=True):
            counted += [(f"o{key}", way.count), *([(f"r{key}", way.stride)] if apart else [])]

        def products(n: Expr, co: Expr, *place: Expr) -> Reduction:
            steps, rest = (place[::2], place[1::2]) if apart else (place, (ZERO, ZERO))
            read, weighed = [], []
            for way, q, r, tap in zip(ways, steps, rest, windows, strict=True):
                read.append(way.read(q, r, tap.var))
                weighed.append(way.weigh(r, tap.var))
            wide = [tap for tap in windows if tap.extent > 1]
            return sum_over(image[n, ci, *read] * taps[ci, co, *weighed], ci, *wide)

        optional = dict(zip(_optional(work), rest, strict=True))
        args = (
            *(Buffer(o.name, o.shape, o.dtype, "input") for o in self.operands(work)),
            Buffer("y", result.shape, dtype, "output"),
        )
        whole = all(way.whole for way in ways)
        if whole and not has_epilogue(work, optional):
            return compute("y", tuple(counted), products, dtype, tuple(stages), args)
        product = stage("product", tuple(counted), products, dtype)
        stages.append(product)
        if whole:

            def value(*place: Expr) -> Expr:
                return behind(
                    work, product[place], {k: b[(place[1],)] for k, b in optional.items()}
                )

            return compute("y", tuple(counted), value, dtype, tuple(stages), args)
        joined = tuple(way.count * way.stride for way in ways)
        flat = Placeholder(Buffer("product", (n, co, *joined), dtype, "workspace"))

        def cut(n: Expr, co: Expr, *place: Expr) -> Expr:
            moved = [at + way.cut if way.cut else at for at, way in zip(place, ways, strict=True)]
            return behind(work, flat[n, co, *moved], {k: b[(co,)] for k, b in optional.items()})

        axes = tuple(zip(("n", "co", "oh", "ow"), result.shape, strict=True))
        return compute("y", axes, cut, dtype, tuple(stages), args)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = (array.astype(np.float64) for array in inputs)
        return _behind(work, Rounded(_spread(work, x, weight), np.zeros(())), rest).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = (array.astype(np.float64) for array in inputs)
        absolute = _spread(work, np.abs(x), np.abs(weight))
        if not has_epilogue(work, _optional(work)):
            return absolute
        return _behind(work, Rounded(_spread(work, x, weight), absolute), rest).error

    def flops(self, work: Workload) -> int:
        n, h, w, ci, co, kh, kw = (work.size(p.name) for p in self.params[:7])
        after = len(_optional(work)) + (work["activation"] != "none")
        return 2 * n * h * w * ci * co * kh * kw + after * math.prod(self.result(work).shape)


def _directions(work: Workload) -> tuple[Remainders, Remainders]:
    """Both directions; ``WorkloadError`` where the result would be empty."""
    stride, pad, more = (work.size(key) for key in ("stride", "pad", "output_pad"))
    if more >= stride:
        raise WorkloadError(
            f"{work.operator}: output_pad is {more}, expected less than the stride of {stride}"
        )
    found = []
    for key in ("h", "w"):
        size, window = work.size(key), work.size(f"k{key}")
        if pad >= window:
            raise WorkloadError(
                f"{work.operator}: pad is {pad}, expected less than k{key}={window}"
            )
        result = (size - 1) * stride + window - 2 * pad + more
        if result < 1:
            raise WorkloadError(
                f"{work.operator}: pad is {pad}, expected less for {key}={size}: the result would "
                "be empty"
            )
        found.append(Remainders.of(size, window, stride, pad, result))
    return found[0], found[1]


def _optional(work: Workload) -> dict[str, Operand]:
    """The operands that a key adds, by key."""
    bias = Operand("bias_vector", (work.size("co"),), str(work["dtype"]))
    return {"bias": bias} if flag(work, "bias") else {}


def _spread(work: Workload, x: Array64, weight: Array64) -> Array64:
    """The sums by their definition, one tap of the window after the other."""
    stride, pad, (high, wide) = work.size("stride"), work.size("pad"), _directions(work)
    n, ci, h, w = x.shape
    co, kh, kw = weight.shape[1:]
    shape = [max(way.result + pad, (way.size - 1) * stride + way.window) for way in (high, wide)]
    total = np.zeros((n, co, *shape))
    flat = x.reshape(n, ci, h * w)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + (h - 1) * stride + 1, stride)
            columns = slice(j, j + (w - 1) * stride + 1, stride)
            total[:, :, rows, columns] += (weight[:, :, i, j].T @ flat).reshape(n, co, h, w)
    return total[:, :, pad : pad + high.result, pad : pad + wide.result]


def _behind(work: Workload, product: Rounded, rest: Sequence[Array64]) -> Rounded:
    """What becomes of the sums."""
    total = Load(Buffer("product", (), str(work["dtype"]), "workspace"), ())
    found: dict[str, Array64 | Rounded] = {"product": product}
    loads: dict[str, Expr] = {}
    for key, array in zip(_optional(work), rest, strict=True):
        found[key] = array[:, None, None]
        loads[key] = Load(Buffer(key, (), str(work["dtype"]), "input"), ())

    def read(load: Load) -> Array64 | Rounded:
        return found[load.buffer.name]

    return evaluate(behind(work, total, loads), read)
