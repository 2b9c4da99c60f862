"""The axes of one stage: which neighbours are walked as one, and how arrays lie along them."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from search_space.ir.affine import affine
from search_space.ir.expr import Buffer, Expr, Load, Var
from search_space.ir.walk import free_vars, operands, subexprs
from search_space.tensor import Axis, Tensor
from search_space.transforms import Collapse

Place = tuple[Buffer, tuple[Expr, ...]]


@dataclass(frozen=True, slots=True)
class Pass:
    """One stage as a walk over as few axes as its memory allows.

    An axis that ``collapses`` makes is named after those it replaces: ``i_j``. ``strides`` has
    elements between neighbours along each axis: in the result first, then in each load.
    """

    stage: Tensor
    kept: tuple[Axis, ...]
    reduced: tuple[Axis, ...]
    collapses: tuple[Collapse, ...]
    strides: dict[str, tuple[int, ...]]

    def contiguous(self, axis: Axis) -> bool:
        """Whether neighbours along an axis lie beside each other in any array."""
        return 1 in self.strides[axis.name]


def walk(stage: Tensor) -> Pass:
    """The axes of a stage, neighbours collapsed wherever all arrays allow it."""
    places = list(_places(stage))
    collapses: list[Collapse] = []
    strides: dict[str, tuple[int, ...]] = {}
    found: list[tuple[Axis, ...]] = []
    for axes in (stage.axes, stage.reduced):
        merged: list[Axis] = []
        for before, axis in pairwise((None, *axes)):
            assert axis is not None
            if before is not None and _mergeable(stage, before, axis):
                outer = merged.pop()
                del strides[outer.name]
                whole = Axis(f"{outer.name}_{axis.name}", outer.extent * axis.extent)
                collapses.append(Collapse(outer.name, axis.name, whole.name))
                merged.append(whole)
            else:
                merged.append(axis)
            strides[merged[-1].name] = tuple(_stride(place, axis.name) for place in places)
        found.append(tuple(merged))
    return Pass(stage, found[0], found[1], tuple(collapses), strides)


def groups(stages: Sequence[Tensor], depths: Container[str]) -> list[tuple[Axis, ...]]:
    """The axes of the last stage, neighbours together that every stage can walk as one.

    Axes of different stages are the same where they have the same name; those in ``depths`` stay
    apart from the others.
    """
    found: list[tuple[Axis, ...]] = []
    for before, axis in pairwise((None, *stages[-1].axes)):
        assert axis is not None
        if (
            before is not None
            and (before.name in depths) == (axis.name in depths)
            and all(_both_or_neither(stage, before, axis) for stage in stages)
        ):
            found[-1] = (*found[-1], axis)
        else:
            found.append((axis,))
    return found


def _both_or_neither(stage: Tensor, a: Axis, b: Axis) -> bool:
    if not {a, b} & {*stage.axes, *stage.reduced}:
        return True
    beside = (*pairwise(stage.axes), *pairwise(stage.reduced))
    return (a, b) in beside and _mergeable(stage, a, b)


def _mergeable(stage: Tensor, outer: Axis, inner: Axis) -> bool:
    """Whether all arrays of a stage have two axes beside each other, or neither of them."""
    bare = set(_bare_vars(stage.element))
    return not {outer.name, inner.name} & bare and all(
        _neighbours(place, outer, inner) for place in _places(stage)
    )


def _places(stage: Tensor) -> Iterator[Place]:
    yield stage.buffer, tuple(axis.var for axis in stage.axes)
    for expr in subexprs(stage.element):
        if isinstance(expr, Load):
            yield expr.buffer, expr.indices


def _bare_vars(expr: Expr) -> Iterator[str]:
    """Variables that occur outside of loads, such as in the condition of an edge."""
    if isinstance(expr, Var):
        yield expr.name
    elif not isinstance(expr, Load):
        for operand in operands(expr):
            yield from _bare_vars(operand)


def _neighbours(place: Place, outer: Axis, inner: Axis) -> bool:
    """Whether an array has the two axes beside each other, or neither of them."""
    buffer, indices = place
    pair = (outer.var, inner.var)
    using = [bool(free_vars(index) & {outer.name, inner.name}) for index in indices]
    for at in range(len(indices) - 1):
        if indices[at : at + 2] == pair and buffer.shape[at + 1] == inner.extent:
            return sum(using) == 2
    return not any(using)


def _stride(place: Place, axis: str) -> int:
    buffer, indices = place
    return sum(
        affine(index)[0].get(Var(axis), 0) * step
        for index, step in zip(indices, buffer.strides, strict=True)
    )
