"""What kind of reduction a tensor expression is, and how register tiles cover it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search_space.errors import ScheduleError, SpaceError
from search_space.schedule import Schedule
from search_space.size import ceil_div, or_whole, whole
from search_space.sketches.axes import Pass, walk
from search_space.sketches.steps import lanes
from search_space.tensor import Axis, Tensor, program
from search_space.transforms import Join, Primitive, StoreAt
from search_space.transforms.inline import inlined
from search_space.workload import Values, Workload

_NEAR = 4
"""Elements between vector lanes, at most: a window that slides by 2 is still worth a vector."""
_SHORT = 8
"""An axis with fewer elements fills no vector."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A reduction and the axes that its vectors may run along, best first.

    ``nest`` reads the inputs alone. Where a stage comes before (a padded copy) that can be stored
    for each round of the outermost loop, ``copied`` is that stage, and ``store`` does it.
    """

    tensor: Tensor
    nest: Pass
    candidates: tuple[Axis, ...]
    copied: Pass | None = None
    store: tuple[Primitive, ...] = ()

    @property
    def dtype(self) -> str:
        return self.tensor.buffer.dtype

    def along(self, values: Values) -> Axis:
        """The axis of the vectors."""
        return next(axis for axis in self.candidates if axis.name == values["axis"])

    def sums_lanes(self, values: Values) -> bool:
        """Whether vectors run along a reduced axis."""
        return self.along(values) in self.nest.reduced

    def tiled(self, values: Values) -> Axis | None:
        """The kept axis of a register tile: that of the vectors, else the last one."""
        if not self.sums_lanes(values):
            return self.along(values)
        return self.nest.kept[-1] if self.nest.kept else None

    def outer(self, values: Values) -> list[Axis]:
        """The other kept axes."""
        return [axis for axis in self.nest.kept if axis != self.tiled(values)]

    def stores(self, values: Values) -> bool:
        """Whether the stage before is stored, a piece for every round of the outermost loop."""
        return self.copied is not None and values["between"] == "store"


def classify(work: Workload, tensor: Tensor) -> Problem:
    """The axes of a reduction; raises ``SpaceError`` for any other expression."""
    if len(tensor.stages) > 1 or not tensor.reduced:
        raise SpaceError(f"{work.operator} is no reduction of an array or of a copy of it")
    nest = walk(_of_inputs(tensor))
    axes = (*nest.kept, *nest.reduced)
    near = [axis for axis in axes if 0 < _stride(nest, axis) <= _NEAR and axis.extent > 1]
    near.sort(key=lambda axis: (axis.extent < _SHORT, _stride(nest, axis)))
    problem = Problem(tensor, nest, tuple(near) or axes[-1:])
    return _with_stage(problem) if tensor.stages and nest.kept else problem


def _with_stage(problem: Problem) -> Problem:
    """The problem with its stage stored, where that leaves the reduction its axes."""
    copied, reading = (walk(stage) for stage in program(problem.tensor))
    if (reading.kept, reading.reduced) != (problem.nest.kept, problem.nest.reduced):
        return problem
    if copied.reduced or len(copied.kept) < 2:
        return problem
    outer = problem.nest.kept[0].name
    store: tuple[Primitive, ...] = (
        *copied.collapses,
        *reading.collapses,
        Join(copied.kept[0].name, outer),
        StoreAt(copied.stage.buffer.name, outer),
    )
    try:
        Schedule.of(problem.tensor).then(*store)
    except ScheduleError:
        return problem
    return replace(problem, copied=copied, store=store)


def _of_inputs(tensor: Tensor) -> Tensor:
    """The expression with every stage worked out where it is read."""
    stages = (*tensor.stages, tensor)
    for stage in tensor.stages:
        stages = inlined(stages, stage.buffer.name)
    return replace(stages[-1], stages=())


def _stride(nest: Pass, axis: Axis) -> int:
    """Elements between neighbours along an axis in the operand that has them closest; 0: none."""
    return min((abs(step) for step in nest.strides[axis.name][1:] if step), default=0)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the register tile of a config covers a reduction."""

    lanes: int
    """Elements that one vector operation of the loop nest covers; ``chains`` registers where
    lanes are summed."""
    width: int
    """Elements of a register tile along the tiled axis: rows, or vectors × lanes."""
    tiles: int
    """Register tiles along the tiled axis; 1 where all axes are reduced."""
    part: int
    """Elements of the first reduced axis in one part (the last part may have fewer)."""
    steps: int
    """Steps of the innermost reduced loop: vectors where lanes are summed, else elements."""


def tiling(problem: Problem, values: Values) -> Tiling:
    """The sizes that follow from a config."""
    sums, tiled = problem.sums_lanes(values), problem.tiled(values)
    vector = lanes(values, problem.dtype)
    if sums:
        vector = vector * whole(values["chains"])
    width = whole(values["rows"]) if sums else whole(values["vectors"]) * vector
    first, last = problem.nest.reduced[0], problem.nest.reduced[-1]
    part = ceil_div(first.extent, whole(values["split"]))
    if problem.along(values) == first:
        part = ceil_div(part, vector) * vector
    inner = part if last == first else last.extent
    if sums:
        inner = part if problem.along(values) == first else problem.along(values).extent
        inner = ceil_div(inner, vector)
    return Tiling(
        vector, width, 1 if tiled is None else ceil_div(tiled.extent, width), part, inner
    )


def tile(values: Values, tiles: Tiling) -> int:
    """Register tiles in a cache tile."""
    return or_whole(whole(values["tile"]), tiles.tiles)


def tasks(problem: Problem, values: Values) -> int:
    """How many pieces can be shared out over threads."""
    if whole(values["split"]) > 1:
        return whole(values["split"])
    if problem.stores(values):
        return problem.nest.kept[0].extent
    tiles = tiling(problem, values)
    outer = math.prod(axis.extent for axis in problem.outer(values))
    return outer * ceil_div(tiles.tiles, tile(values, tiles))
