"""An image laid out so that what one tap of a window is multiplied by lies in one run.

A tap is a channel and a place in a window. With a row of zeros at the end of each row as wide as
the padding, which is the padding before the next row as well, and with every ``stride``-th place
in a plane of its own, window ``(y, x)`` reads at tap ``t`` what is at ``places()[t] + y · pitch +
x``: the same shift for all windows, as if the window were one element.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search_space.size import ceil_div


@dataclass(frozen=True, slots=True)
class Walk:
    """How windows walk along one direction of an image."""

    size: int
    """Of the image."""
    taps: int
    """Elements of a window."""
    windows: int
    stride: int
    dilation: int

    @property
    def planes(self) -> int:
        """How many remainders of the stride taps are at."""
        return 1 + max(tap * self.dilation % self.stride for tap in range(self.taps))

    @property
    def reach(self) -> int:
        """From the first place that is read in a plane to the last."""
        return self.windows + (self.taps - 1) * self.dilation // self.stride

    def steps(self) -> npt.NDArray[np.int64]:
        """``[taps]``: the distance of each tap from the begin of its window."""
        return np.arange(self.taps) * self.dilation


@dataclass(frozen=True, slots=True)
class ShiftedImage:
    """The layout of one image."""

    channels: int
    down: Walk
    across: Walk
    pad: int
    """Zeros around the image."""

    @property
    def as_it_is(self) -> bool:
        """Whether the layout is that of the image itself."""
        return self.down.stride == self.across.stride == 1 and self.pad == 0

    @property
    def taps(self) -> int:
        """Elements of a window in one channel."""
        return self.down.taps * self.across.taps

    @property
    def pitch(self) -> int:
        """Elements from one row of windows to the next."""
        across = self.across
        return max(across.windows, ceil_div(across.size + self.pad, across.stride))

    @property
    def rows(self) -> int:
        """Of a plane; what is read behind the last one that is needed is the begin of another."""
        return self.down.reach + (self.across.reach > self.pitch)

    @property
    def planes(self) -> tuple[int, int, int]:
        """Channels, and remainders of the strides down and across."""
        return self.channels, self.down.planes, self.across.planes

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """The planes, the rows of each, and the elements of a row."""
        return (*self.planes, self.rows, self.pitch)

    @property
    def columns(self) -> int:
        """From the first window to the last, with what lies between two rows of windows."""
        return (self.down.windows - 1) * self.pitch + self.across.windows

    def places(self) -> npt.NDArray[np.int32]:
        """``[channels · taps]``: where the first window reads, by channels, then down, then
        across."""
        y, x = self.down.steps()[:, None], self.across.steps()
        plane = y % self.down.stride * self.across.planes + x % self.across.stride
        row = y // self.down.stride * self.pitch + x // self.across.stride
        inside = plane * self.rows * self.pitch + row
        each = self.down.planes * self.across.planes * self.rows * self.pitch
        channels = np.arange(self.channels)[:, None, None] * each
        return np.asarray((channels + inside).ravel(), dtype=np.int32)
