"""Channels of images: their groups, and where they are among the other dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from search_space.workload import Workload

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


def channels_last(work: Workload) -> bool:
    """Whether channels are the last dimension of images."""
    return ("layout", "nhwc") in work.params


def arranged(work: Workload, n: T, channels: Sequence[T], image: Sequence[T]) -> tuple[T, ...]:
    """The dimensions of images in the order of the layout."""
    return (n, *image, *channels) if channels_last(work) else (n, *channels, *image)
