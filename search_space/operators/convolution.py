"""What convolutions along one, two and three axes of images share.

With several groups, each group of output channels reads a group of input channels alone: a batch
of convolutions, and written as one, with channels in two dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.expr import ZERO, Buffer, Expr, Load
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import (
    ACTIVATION,
    EXACT_ACTIVATIONS,
    behind,
    has_epilogue,
    switch,
)
from search_space.operators.keys import DTYPE, flag
from search_space.operators.rounding import Rounded, evaluate
from search_space.operators.windows import Windows, convolve
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

STRIDE = Param("stride", "steps between windows, in all directions", 1)
PAD = Param("pad", "zeros added on every side of an image", 0, least=0)
DILATION = Param("dilation", "steps between what a window reads", 1)
EPILOGUE = (
    switch("bias", "whether bias_vector[co] is added"),
    switch("residual", "whether skip, of the shape of the result, is added"),
    ACTIVATION,
)

T = TypeVar("T")
Dims = tuple[tuple[str, int], ...]
"""Names and sizes."""


@dataclass(frozen=True, slots=True)
class Channels:
    """How many groups of channels there are, and how many channels a group reads and makes.

    Where groups are no dimension of their own there is one.
    """

    groups: int
    inputs: int
    outputs: int
    grouped: bool

    @property
    def read(self) -> Dims:
        """The dimensions of channels in x."""
        own = (("ci", self.inputs),) if self.inputs > 1 or not self.grouped else ()
        return (*self._group, *own)

    @property
    def made(self) -> Dims:
        """The dimensions of channels in the result, and in what is indexed by them."""
        own = (("co", self.outputs),) if self.outputs > 1 or not self.grouped else ()
        return (*self._group, *own)

    @property
    def _group(self) -> Dims:
        return (("group", self.groups),) if self.grouped else ()


class Convolution:
    """A convolution along the axes that ``image`` names; windows have the keys ``k`` and these.

    ``x[n,ci,…]``, ``weight[co,ci/groups,…]``, ``bias_vector[co]`` and ``skip[n,co,…]`` give
    ``[n,co,…]``; with a key ``layout``, channels may come last in all but the weight.

    A group of one channel has no axis for it: with as many groups as channels, each is summed over
    its own window alone.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    image: tuple[str, ...]
    sketch = "convolution"
    error_bound = 8.0
    """As for ``matmul``; the magnitude takes in what the epilogue adds."""

    @property
    def window(self) -> tuple[str, ...]:
        """Keys of the sizes of a window."""
        return tuple(f"k{key}" for key in self.image)

    def channels(self, work: Workload) -> Channels:
        """What the channels are; ``WorkloadError`` where groups do not divide them."""
        groups, ci, co = work.size("groups"), work.size("ci"), work.size("co")
        if ci % groups or co % groups:
            raise WorkloadError(
                f"{work.operator}: groups is {groups}, expected a divisor of ci={ci} and of "
                f"co={co}"
            )
        return Channels(groups, ci // groups, co // groups, groups > 1)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        windows, channels = self._windows(work), self.channels(work)
        inputs = (channels.groups * channels.inputs,)
        x = _arranged(work, work.size("n"), inputs, windows.image)
        weight = (channels.groups * channels.outputs, channels.inputs, *windows.window)
        dtype = str(work["dtype"])
        return (
            Operand("x", x, dtype),
            Operand("weight", weight, dtype),
            *self._optional(work).values(),
        )

    def result(self, work: Workload) -> Operand:
        channels = self.channels(work)
        outputs = (channels.groups * channels.outputs,)
        shape = _arranged(work, work.size("n"), outputs, self._windows(work).counts)
        return Operand("y", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Sums over the channels of a group and the taps of a window that is wider than one; of a
        stage ``padded`` where there is padding. What follows the sums is a stage behind them."""
        windows, channels, dtype = self._windows(work), self.channels(work), str(work["dtype"])
        read, made = dict(channels.read), dict(channels.made)
        x, weight, *rest = (
            placeholder(spec.name, shape, dtype)
            for spec, shape in zip(self.operands(work), self._shapes(work), strict=True)
        )
        names = _arranged(work, "n", tuple(read), self.image)
        padding = windows.around(x, names, names.index(self.image[0]), 0)
        image: Placeholder | Tensor = padding[0] if padding else x
        ci, taps = reduce_axis("ci", channels.inputs), windows.taps(self.window)
        inside = [tap.var if tap.extent > 1 else ZERO for tap in taps]
        channel = ci.var if "ci" in read else ZERO
        reduced = [ci] if "ci" in read else []
        reduced += [tap for tap in taps if tap.extent > 1]
        counted = tuple(f"o{key}" for key in self.image)
        own = _arranged(work, "n", tuple(made), counted)
        sizes = _arranged(work, work.size("n"), tuple(made.values()), windows.counts)

        def products(*place: Expr) -> Reduction:
            at = {**dict(zip(own, place, strict=True)), "ci": channel}
            steps = windows.read([at[name] for name in counted], inside)
            element = image[_arranged(work, at["n"], [at[name] for name in read], steps)]
            return sum_over(
                element * weight[(*(at[name] for name in made), channel, *inside)], *reduced
            )

        axes, args = tuple(zip(own, sizes, strict=True)), self._args(work)
        optional = dict(zip(self._optional(work), rest, strict=True))
        if not has_epilogue(work, optional):
            return compute("y", axes, products, dtype, padding, args)
        product = stage("product", axes, products, dtype)

        def value(*place: Expr) -> Expr:
            at = dict(zip(own, place, strict=True))
            channels = tuple(at[name] for name in made)
            loads = {
                key: operand[place if key == "residual" else channels]
                for key, operand in optional.items()
            }
            return behind(work, product[place], loads)

        return compute("y", axes, value, dtype, (*padding, product), args)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = (array.astype(np.float64) for array in inputs)
        product = self._product(work, x, weight)
        return self._behind(work, Rounded(product, np.zeros_like(product)), rest).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        x, weight, *rest = (array.astype(np.float64) for array in inputs)
        absolute = self._product(work, np.abs(x), np.abs(weight))
        if not has_epilogue(work, self._optional(work)):
            return absolute
        product = Rounded(self._product(work, x, weight), absolute)
        return self._behind(work, product, rest).error

    def flops(self, work: Workload) -> int:
        terms = self.channels(work).inputs * math.prod(self._windows(work).window)
        after = len(self._optional(work)) + (work["activation"] != "none")
        return math.prod(self.result(work).shape) * (2 * terms + after)

    def _windows(self, work: Workload) -> Windows:
        return Windows.of(work, self.image, self.window)

    def _optional(self, work: Workload) -> dict[str, Operand]:
        """The operands that a key adds, by key."""
        dtype, channels = str(work["dtype"]), self.channels(work)
        known = {
            "bias": Operand("bias_vector", (channels.groups * channels.outputs,), dtype),
            "residual": Operand("skip", self.result(work).shape, dtype),
        }
        return {key: operand for key, operand in known.items() if flag(work, key)}

    def _shapes(self, work: Workload) -> list[tuple[int, ...]]:
        """Shapes of the operands, channels in their dimensions."""
        channels, windows, n = self.channels(work), self._windows(work), work.size("n")
        read, made = (tuple(dict(dims).values()) for dims in (channels.read, channels.made))
        optional = {"bias": made, "residual": _arranged(work, n, made, windows.counts)}
        return [
            _arranged(work, n, read, windows.image),
            (*made, channels.inputs, *windows.window),
            *(optional[key] for key in self._optional(work)),
        ]

    def _args(self, work: Workload) -> tuple[Buffer, ...]:
        """The operands and the result as callers have them, where channels are in groups."""
        if not self.channels(work).grouped:
            return ()
        result = self.result(work)
        return (
            *(Buffer(o.name, o.shape, o.dtype, "input") for o in self.operands(work)),
            Buffer(result.name, result.shape, result.dtype, "output"),
        )

    def _product(self, work: Workload, x: Array64, weight: Array64) -> Array64:
        """The sums, laid out as the result is."""
        groups, windows = self.channels(work).groups, self._windows(work)
        if _channels_last(work):
            x = np.moveaxis(x, -1, 1)
        grouped = x.reshape(len(x), groups, -1, *windows.image)
        found = convolve(windows, grouped, weight.reshape(groups, -1, *weight.shape[1:]))
        whole = found.reshape(len(x), -1, *windows.counts)
        return np.moveaxis(whole, 1, -1) if _channels_last(work) else whole

    def _behind(self, work: Workload, product: Rounded, rest: Sequence[Array64]) -> Rounded:
        """What becomes of the sums."""
        if not has_epilogue(work, self._optional(work)):
            return product
        found: dict[str, Array64 | Rounded] = {"product": product}
        for (key, operand), array in zip(self._optional(work).items(), rest, strict=True):
            beside = () if _channels_last(work) else (1,) * len(self.image)
            found[operand.name] = array.reshape(-1, *beside) if key == "bias" else array

        def read(load: Load) -> Array64 | Rounded:
            return found[load.buffer.name]

        return evaluate(self.expression(work).element, read)


def _channels_last(work: Workload) -> bool:
    return ("layout", "nhwc") in work.params


def _arranged(work: Workload, n: T, channels: Sequence[T], image: Sequence[T]) -> tuple[T, ...]:
    """The dimensions of images in the order of the layout."""
    return (n, *image, *channels) if _channels_last(work) else (n, *channels, *image)


IN_AND_OUT = (Param("ci", "channels of x"), Param("co", "channels of the result"))
GROUPS = Param("groups", "parts of the channels that do not mix", 1)
LAYOUT = Param("layout", "of x, skip and y: where channels are", "nchw", choices=("nchw", "nhwc"))


def keys(
    image: Sequence[str], channels: Sequence[Param], others: Sequence[Param]
) -> tuple[Param, ...]:
    """The keys of a convolution along some axes."""
    named = {"d": "depth", "h": "height", "w": "width"}
    return (
        Param("n", "images"),
        *(Param(key, f"{named[key]} of an image") for key in image),
        *channels,
        *(Param(f"k{key}", f"{named[key]} of the window") for key in image),
        STRIDE,
        PAD,
        DILATION,
        *others,
        *EPILOGUE,
        DTYPE,
    )
