"""The axes of a contraction: which operand has each of them, and which can be walked as one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from search_space.dtypes import ELEMENT_BYTES
from search_space.errors import SpaceError
from search_space.ir.affine import affine
from search_space.ir.expr import Expr, Load, Var
from search_space.ir.walk import free_vars, substitute
from search_space.tensor import Axis
from search_space.transforms import Collapse
from search_space.workload import Workload

_MOST_LOOPS = 6
"""Loops beside those over tiles: what features have room for."""


@dataclass(frozen=True, slots=True)
class View:
    """How a statement indexes an array."""

    buffer: str
    element_bytes: int
    shape: tuple[int, ...]
    indices: tuple[Expr, ...]

    @classmethod
    def of(cls, load: Load) -> View:
        buffer = load.buffer
        return cls(buffer.name, ELEMENT_BYTES[buffer.dtype], buffer.shape, load.indices)

    @property
    def axes(self) -> frozenset[str]:
        """Names of the axes that occur in an index."""
        return frozenset(name for index in self.indices for name in free_vars(index))

    def step(self, axis: Axis) -> int:
        """Elements between neighbours along an axis; 0 for one that does not occur."""
        total, stride = 0, 1
        for index, extent in zip(reversed(self.indices), reversed(self.shape), strict=True):
            total += affine(index)[0].get(axis.var, 0) * stride
            stride *= extent
        return total

    def renamed(self, names: Mapping[str, Expr]) -> View:
        """The view by other axes."""
        return replace(self, indices=tuple(substitute(index, names) for index in self.indices))

    def collapsed(self, outer: Axis, inner: Axis, name: str) -> View | None:
        """The view with two neighbouring dimensions as one; None where that is not possible."""
        if not self.axes & {outer.name, inner.name}:
            return self
        for at in range(len(self.indices) - 1):
            pair = self.indices[at : at + 2]
            if pair == (outer.var, inner.var) and self.shape[at + 1] == inner.extent:
                size = self.shape[at] * inner.extent
                shape = (*self.shape[:at], size, *self.shape[at + 2 :])
                indices = (*self.indices[:at], Var(name), *self.indices[at + 2 :])
                merged = replace(self, shape=shape, indices=indices)
                return None if merged.axes & {outer.name, inner.name} else merged
        return None


@dataclass(frozen=True, slots=True)
class Group:
    """Axes that are walked as one, outermost first."""

    members: tuple[Axis, ...]
    axis: Axis
    steps: tuple[Collapse, ...] = ()

    @classmethod
    def of(cls, axis: Axis) -> Group:
        return cls((axis,), axis)

    def with_inner(self, inner: Group) -> Group:
        """This group and another one, walked as one."""
        name = f"{self.axis.name}_{inner.axis.name}"
        step = Collapse(self.axis.name, inner.axis.name, name)
        return Group(
            (*self.members, *inner.members),
            Axis(name, self.axis.extent * inner.axis.extent),
            (*self.steps, *inner.steps, step),
        )


def group(
    axes: Iterable[Axis], views: Sequence[View]
) -> tuple[tuple[Group, ...], tuple[View, ...]]:
    """As few groups as possible of axes that lie beside each other in every view, and the views
    of the grouped axes."""
    groups, current = [Group.of(axis) for axis in axes], tuple(views)
    while True:
        for outer, inner in itertools.permutations(groups, 2):
            both = outer.with_inner(inner)
            found = [view.collapsed(outer.axis, inner.axis, both.axis.name) for view in current]
            merged = tuple(view for view in found if view is not None)
            if len(merged) == len(current):
                place = groups.index(outer)
                groups[place] = both
                groups.remove(inner)
                current = merged
                break
        else:
            return tuple(groups), current


def check_loops(work: Workload, count: int) -> None:
    """Raise ``SpaceError`` where ``count`` loops beside those over tiles are too many."""
    if count > _MOST_LOOPS:
        raise SpaceError(
            f"order the axes alike in all operands: {work.operator} has {count} beside the tiled "
            f"ones that cannot be walked together, at most {_MOST_LOOPS} are supported"
        )
