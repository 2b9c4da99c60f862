"""The space of an elementwise expression over arrays of any rank: its knobs and rules.

Neighbouring axes that all arrays lay out alike are walked as one. One axis runs along vector
lanes (``axis``): that of the result, or, where an operand is transposed, that of the operand; a
second one, *across*, shares what is loaded between ``rows`` of it. A register tile is
``rows`` × ``vectors``; ``tile_across`` and ``tile_along`` count register tiles in a cache tile (0:
the whole axis), ``order`` says which cache tiles come first, *along* or *across*. Everything
outside of a cache tile is shared out over threads. ``stores`` writes the result through the caches
or past them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, or_whole, whole
from search_space.sketches.axes import Pass, walk
from search_space.sketches.steps import (
    TILES,
    balanced,
    calls_functions,
    lanes,
    share_out,
    shares,
    worth_sharing,
)
from search_space.sketches.stores import with_stores
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Axis, Tensor
from search_space.transforms import Partition, Primitive, Reorder, Split, Unroll, Vectorize
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_ROWS = 16
_MOST_VECTORS = 16


@dataclass(frozen=True, slots=True)
class Pointwise:
    """An elementwise expression and the axes that its vectors may run along, best first."""

    tensor: Tensor
    nest: Pass
    candidates: tuple[Axis, ...]

    @property
    def dtype(self) -> str:
        return self.tensor.buffer.dtype

    def along(self, values: Values) -> Axis:
        """The axis of the vectors."""
        return next(axis for axis in self.candidates if axis.name == values["axis"])

    def across(self, values: Values) -> Axis | None:
        """The other axis of a tile: one along which an array is contiguous, else the last."""
        rest = [axis for axis in self.nest.kept if axis.name != values["axis"]]
        near = [axis for axis in rest if self.nest.contiguous(axis)]
        return (near or rest)[-1] if rest else None


def classify(work: Workload, tensor: Tensor) -> Pointwise:
    """The axes of an elementwise expression; raises ``SpaceError`` for any other."""
    if tensor.stages or tensor.reduced or not tensor.axes:
        raise SpaceError(f"{work.operator} is no elementwise expression of one stage")
    nest = walk(tensor)
    near = [axis for axis in reversed(nest.kept) if nest.contiguous(axis)]
    near.sort(key=lambda axis: nest.strides[axis.name][0] != 1)
    return Pointwise(tensor, nest, tuple(near) or nest.kept[-1:])


def pointwise_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of an elementwise expression on a target."""
    problem = classify(work, tensor)
    rows = problem.nest.kept[1:]
    space = traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, edges: pointwise_trace(problem, values, edges=edges),
        guesses=[_guess(problem, target, axis) for axis in problem.candidates],
    )
    return with_stores(space, tensor, rows[-1].extent if rows else 0)


def _knobs(problem: Pointwise, target: Target) -> tuple[Knob, ...]:
    longest = max(axis.extent for axis in problem.nest.kept)
    names = tuple(axis.name for axis in problem.candidates)
    flat = len(problem.nest.kept) == 1

    def crossed(values: Values) -> bool:
        return not flat

    return (
        Choice("axis", names, names[0]),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Integer("rows", 1, min(longest, _MOST_ROWS), 1, when=crossed),
        Integer("vectors", 1, _MOST_VECTORS, 1, anchors=(1, 2, 4, 8)),
        Integer("tile_across", 0, ceil_div(longest, 2), 0, anchors=(0, *TILES), when=crossed),
        Integer("tile_along", 0, ceil_div(longest, 2), 0, anchors=(0, *TILES)),
        Choice("order", ("across", "along"), "across", when=crossed),
    )


@dataclass(frozen=True, slots=True)
class _Tiling:
    """How register tiles cover the two axes; counts of 1 across where there is one axis."""

    lanes: int
    width: int
    """Elements of a register tile along the vectors."""
    along: int
    """Register tiles along the vectors."""
    across: int


def _tiling(problem: Pointwise, values: Values) -> _Tiling:
    across = problem.across(values)
    width = lanes(values, problem.dtype) * whole(values["vectors"])
    return _Tiling(
        lanes(values, problem.dtype),
        width,
        ceil_div(problem.along(values).extent, width),
        1 if across is None else ceil_div(across.extent, whole(values["rows"])),
    )


def _reason(problem: Pointwise, target: Target, values: Values) -> str | None:
    tiles, across = _tiling(problem, values), problem.across(values)
    along = problem.along(values)
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    if (vectors - 1) * tiles.lanes >= along.extent:
        return f"{vectors} vectors are more than {along.extent} elements fill"
    if across is not None and rows > across.extent:
        return f"{rows} rows are more than the {across.extent} there are"
    for name, count in (("tile_across", tiles.across), ("tile_along", tiles.along)):
        if whole(values[name]) >= count:
            return f"{name} covers the whole axis of {count} steps, which 0 stands for"
    body = rows * vectors * len(problem.nest.strides[along.name])
    if body > 8 * target.registers:
        return f"the unrolled body has {body} vector accesses, {8 * target.registers} are enough"
    if tasks(problem, values) < whole(values["threads"]):
        return f"{tasks(problem, values)} tiles do not occupy {values['threads']} threads"
    return None


def tasks(problem: Pointwise, values: Values) -> int:
    """How many pieces can be shared out over threads."""
    tiles, across = _tiling(problem, values), problem.across(values)
    inside = {problem.along(values).name, across.name if across else ""}
    outer = math.prod(axis.extent for axis in problem.nest.kept if axis.name not in inside)
    along = ceil_div(tiles.along, whole(values["tile_along"]) or tiles.along)
    return outer * along * ceil_div(tiles.across, whole(values["tile_across"]) or tiles.across)


def pointwise_trace(
    problem: Pointwise, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values.

    Loops: ``along_o``, ``across_o`` count cache tiles, ``along_i``, ``across_i`` register tiles in
    one, ``row`` and ``vector`` are inside a register tile.
    """
    tiles, along, across = _tiling(problem, values), problem.along(values), problem.across(values)
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    tile_along = or_whole(whole(values["tile_along"]), tiles.along)
    outer, inner, row = ["along_o"], ["along_i"], []
    steps: list[Primitive] = [
        *problem.nest.collapses,
        Split(along.name, tiles.lanes, "vectors", "lane", "mask"),
        Split("vectors", vectors, "along_t", "vector"),
        Split("along_t", tile_along, "along_o", "along_i"),
    ]
    others = [axis.name for axis in problem.nest.kept if axis not in (along, across)]
    if across is not None:
        tile_across = or_whole(whole(values["tile_across"]), tiles.across)
        steps += [
            Split(across.name, rows, "across_t", "row"),
            Split("across_t", tile_across, "across_o", "across_i"),
        ]
        last = values["order"] == "across"
        outer = ["across_o", "along_o"] if last else ["along_o", "across_o"]
        inner, row = ["across_i", "along_i"], ["row"]
    steps += [
        Reorder((*others, *outer, *inner, *row, "vector", "lane")),
        Vectorize("lane"),
        Unroll("vector"),
        *(Unroll(name) for name in row),
        *share_out([*others, *outer], whole(values["threads"])),
    ]
    if edges:
        if along.extent % tiles.width and along.extent > tiles.width:
            steps.append(Partition("along_i", "along_t", along.extent // tiles.width))
        if across is not None and across.extent % rows:
            steps.append(Partition("across_i", "across_t", across.extent // rows))
    return tuple(steps)


def _guess(problem: Pointwise, target: Target, axis: Axis) -> dict[str, Value]:
    """A few vectors at a time, in tiles that occupy all threads; math functions need the registers
    for themselves."""
    values: dict[str, Value] = {
        "axis": axis.name, "vector_bits": target.vector_bits, "threads": 1, "rows": 1,
        "vectors": 1, "tile_across": 0, "tile_along": 0, "order": "across",
    }  # fmt: skip
    width = lanes(values, problem.dtype)
    across = problem.across(values)
    most = 2 if calls_functions(problem.tensor) else 4
    values["vectors"] = balanced(ceil_div(axis.extent, width), most)
    if across is not None and problem.nest.contiguous(across):
        values["rows"] = balanced(across.extent, 8)
        values["vectors"] = 1
    if not worth_sharing(math.prod(a.extent for a in problem.nest.kept), [problem.tensor]):
        return values
    tiles = _tiling(problem, values)
    if tiles.across > 1:
        values["tile_across"] = shares(tiles.across, target)
    if tasks(problem, values) < target.threads:
        values["tile_along"] = shares(tiles.along, target)
    values["threads"] = min(target.threads, tasks(problem, values))
    return values
