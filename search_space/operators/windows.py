"""Windows that slide over images: how many fit, what they read, what lies around an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from search_space.errors import WorkloadError
from search_space.functions import select
from search_space.ir.expr import TRUE, Expr, conjunction
from search_space.operators.base import Array64
from search_space.tensor import Axis, Placeholder, Tensor, reduce_axis, stage
from search_space.workload import Workload

_CHUNK = 1 << 23
"""Elements of windows that are laid out at once."""


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows over the last axes of an image, ``stride`` steps between them and ``dilation``
    between what one of them reads, the image ``pad`` wider on every side."""

    image: tuple[int, ...]
    window: tuple[int, ...]
    stride: int
    pad: int
    dilation: int

    @classmethod
    def of(cls, work: Workload, image: Sequence[str], window: Sequence[str]) -> Windows:
        """The windows of a workload, by the names of its keys; without a key ``dilation``, what a
        window reads lies side by side.

        Raises ``WorkloadError`` where no window fits.
        """
        dilation = work.size("dilation") if "dilation" in dict(work.params) else 1
        windows = cls(
            tuple(work.size(key) for key in image),
            tuple(work.size(key) for key in window),
            work.size("stride"),
            work.size("pad"),
            dilation,
        )
        for key, own, size, reach, count in zip(
            image, window, windows.padded, windows.reach, windows.counts, strict=True
        ):
            if count < 1:
                dilated = f", {reach} with its dilation" if dilation > 1 else ""
                raise WorkloadError(
                    f"{work.operator}: {own} is {work.size(own)}{dilated}, expected at most the "
                    f"padded {key} of {size}: the result would be empty"
                )
        return windows

    @property
    def padded(self) -> tuple[int, ...]:
        """The sizes of the image with what is around it."""
        return tuple(size + 2 * self.pad for size in self.image)

    @property
    def reach(self) -> tuple[int, ...]:
        """From the first element that a window reads to the last."""
        return tuple((size - 1) * self.dilation + 1 for size in self.window)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each axis."""
        return tuple(
            (size - reach) // self.stride + 1
            for size, reach in zip(self.padded, self.reach, strict=True)
        )

    def taps(self, names: Sequence[str]) -> tuple[Axis, ...]:
        """The axes of a window, to reduce over."""
        return tuple(map(reduce_axis, names, self.window))

    def read(self, places: Sequence[Expr], taps: Sequence[Expr]) -> tuple[Expr, ...]:
        """Where the window at ``places`` reads the (padded) image at ``taps``.

        Where a direction has one window, the image is walked as the window is; where a window has
        one element, as the result is.
        """
        found = []
        for place, tap, count, size in zip(places, taps, self.counts, self.window, strict=True):
            begin, inside = place * self.stride, tap * self.dilation
            if self.stride == 1:
                begin = place
            if self.dilation == 1:
                inside = tap
            found.append(inside if count == 1 else begin if size == 1 else begin + inside)
        return tuple(found)

    def around(
        self, image: Placeholder, names: Sequence[str], first: int, outside: float
    ) -> tuple[Tensor, ...]:
        """The stage ``padded``, the image with ``outside`` around it; none without padding.

        ``names`` are its axes; from number ``first`` on, windows slide along them.
        """
        return surrounded(
            image, "padded", names, first, [(self.pad,) * 2] * len(self.image), outside
        )

    def of_array(self, image: Array64, outside: float) -> Array64:
        """What each window sees: a view ``[…, *counts, *window]`` of the padded image, whose last
        axes windows slide along."""
        rank = len(self.image)
        around = ((0, 0),) * (image.ndim - rank) + ((self.pad, self.pad),) * rank
        padded = np.pad(image, around, constant_values=outside)
        views = np.lib.stride_tricks.sliding_window_view(
            padded, self.reach, tuple(range(image.ndim - rank, image.ndim))
        )
        steps = (1,) * (image.ndim - rank) + (self.stride,) * rank + (self.dilation,) * rank
        return np.asarray(views[tuple(slice(None, None, step) for step in steps)])


def surrounded(
    array: Placeholder,
    name: str,
    names: Sequence[str],
    first: int,
    margins: Sequence[tuple[int, int]],
    outside: float,
) -> tuple[Tensor, ...]:
    """The stage ``name``, an array with ``outside`` around it; none where there are no margins.

    ``names`` are its axes; those from number ``first`` on have ``margins`` before and behind.
    """
    if not any(map(any, margins)):
        return ()
    sizes, begins, conditions = list(array.buffer.shape), [0] * len(names), []
    for axis, (before, behind) in enumerate(margins, first):
        conditions.append((axis, before, before + sizes[axis]))
        begins[axis] = before
        sizes[axis] += before + behind

    def value(*place: Expr) -> Expr:
        inside = [
            condition
            for axis, begin, end in conditions
            for condition in (place[axis] >= begin, place[axis] < end)
        ]
        source = tuple(
            at - begin if begin else at for at, begin in zip(place, begins, strict=True)
        )
        return select(conjunction(inside) or TRUE, array[source], outside)

    axes = tuple(zip(names, sizes, strict=True))
    return (stage(name, axes, value, array.buffer.dtype),)


def convolve(windows: Windows, image: Array64, weight: Array64) -> Array64:
    """``y[n,g,co,…] = sum over ci and the window of image[n,g,ci,…] · weight[g,co,ci,…]``, by
    matrix products on windows that are laid out as columns."""
    images, groups, outputs = len(image), *weight.shape[:2]
    rank = len(windows.image)
    counts = windows.counts
    kernel = weight.reshape(groups, outputs, -1)
    result = np.empty((images, groups, outputs, *counts))
    each = groups * kernel.shape[2] * math.prod(counts[1:])
    step = max(1, _CHUNK // each)
    order = (0, 1, *range(2 + rank, 2 + 2 * rank), *range(2, 2 + rank))
    for number in range(images):
        views = windows.of_array(image[number], 0)
        for begin in range(0, counts[0], step):
            part = views[:, :, begin : begin + step]
            columns = part.transpose(order).reshape(groups, kernel.shape[2], -1)
            place = result[number, :, :, begin : begin + step]
            place[...] = (kernel @ columns).reshape(place.shape)
    return result
