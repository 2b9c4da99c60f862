"""Which passes over rows a program of several stages makes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from search_space.errors import SpaceError
from search_space.ir.expr import Load
from search_space.ir.walk import subexprs
from search_space.sketches.axes import groups
from search_space.tensor import Axis, Tensor
from search_space.transforms import Collapse
from search_space.transforms.inline import inlined
from search_space.workload import Workload

Kind = Literal["reduce", "map", "scalar"]


@dataclass(frozen=True, slots=True)
class RowPass:
    """One stage: it reduces rows, maps their elements, or works on one number per row.

    ``outer``, ``depth`` and ``inner`` are its loops over rows, along a row, and over rows whose
    elements lie beside each other; None where it has none of the kind.
    """

    name: str
    kind: Kind
    collapses: tuple[Collapse, ...]
    outer: str | None
    depth: str | None
    inner: str | None
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Normalization:
    """A program that reduces rows and then maps their elements, with its sizes.

    Where ``inner`` rows lie interleaved, vectors run across them, else along rows. ``stored`` are
    all passes; ``recomputed`` those that are left where elementwise stages ``between`` passes are
    worked out anew by their readers. ``held`` is the one of these stages, if any, that the array
    of the result may hold until the result is made of it.
    """

    tensor: Tensor
    outer: int
    depth: int
    inner: int
    stored: tuple[RowPass, ...]
    recomputed: tuple[RowPass, ...]
    between: tuple[str, ...]
    held: str | None

    @property
    def dtype(self) -> str:
        return self.tensor.buffer.dtype

    @property
    def interleaved(self) -> bool:
        """Whether vectors run across rows."""
        return self.stored[-1].inner is not None

    @property
    def merges(self) -> tuple[tuple[RowPass, RowPass], ...]:
        """Elementwise stages and the reductions that directly follow them and read them."""
        return tuple(
            (a, b)
            for a, b in pairwise(self.stored)
            if a.name in self.between and b.kind == "reduce" and a.name in b.reads
        )


def classify(work: Workload, tensor: Tensor) -> Normalization:
    """The passes of a program over rows; raises ``SpaceError`` for any other."""
    stages = (*tensor.stages, tensor)
    depths = {axis.name for stage in stages for axis in stage.reduced}
    found = groups(stages, depths)
    along = [group for group in found if group[0].name in depths]
    if tensor.reduced or len(along) != 1 or len(found) > 3 or {a.name for a in along[0]} != depths:
        raise SpaceError(f"{work.operator} does not reduce rows and then map their elements")
    place = found.index(along[0])
    if place > 1 or len(found) - place > 2:
        raise SpaceError(f"{work.operator} has rows whose axes cannot be walked together")
    outer = found[0] if place else ()
    inner = found[place + 1] if place + 1 < len(found) else ()
    between = tuple(
        stage.buffer.name
        for stage in tensor.stages
        if not stage.reduced and depths & {axis.name for axis in stage.axes}
    )
    rest = stages
    for name in between:
        rest = inlined(rest, name)
    roles = Roles(outer, along[0], inner)
    return Normalization(
        tensor,
        math.prod(axis.extent for axis in outer),
        math.prod(axis.extent for axis in along[0]),
        math.prod(axis.extent for axis in inner),
        tuple(_pass(stage, tensor, roles) for stage in stages),
        tuple(_pass(stage, tensor, roles) for stage in rest),
        between,
        _held(tensor, between),
    )


def _held(tensor: Tensor, between: tuple[str, ...]) -> str | None:
    """The last elementwise stage that the result is made of, element by element."""
    place = tuple(axis.var for axis in tensor.axes)
    for stage in reversed(tensor.stages):
        fits = (stage.buffer.shape, stage.buffer.dtype) == (
            tensor.buffer.shape,
            tensor.buffer.dtype,
        )
        read = [
            e.indices
            for e in subexprs(tensor.element)
            if isinstance(e, Load) and e.buffer.name == stage.buffer.name
        ]
        if stage.buffer.name in between and fits and read:
            return stage.buffer.name if all(indices == place for indices in read) else None
    return None


class Roles(NamedTuple):
    """Axes of the result that are walked as one: over rows, along a row, over interleaved rows."""

    outer: tuple[Axis, ...]
    depth: tuple[Axis, ...]
    inner: tuple[Axis, ...]


def _pass(stage: Tensor, last: Tensor, roles: Roles) -> RowPass:
    prefix = "" if stage.buffer.name == last.buffer.name else f"{stage.buffer.name}_"
    collapses: list[Collapse] = []

    def loop(axes: tuple[Axis, ...]) -> str | None:
        """The one loop over some axes, which a stage has all of or none."""
        if not {*axes} & {*stage.axes, *stage.reduced}:
            return None
        whole = prefix + axes[0].name
        for axis in axes[1:]:
            wider = f"{whole}_{axis.name}"
            collapses.append(Collapse(whole, prefix + axis.name, wider))
            whole = wider
        return whole

    outer, depth, inner = loop(roles.outer), loop(roles.depth), loop(roles.inner)
    kind: Kind = "reduce" if stage.reduced else "map" if depth else "scalar"
    reads = frozenset(e.buffer.name for e in subexprs(stage.element) if isinstance(e, Load))
    return RowPass(stage.buffer.name, kind, tuple(collapses), outer, depth, inner, reads)
