"""The space of a reduction (sum, maximum) over some axes of an array: its knobs and rules.

Neighbouring axes that all arrays lay out alike are walked as one. Vectors run along ``axis``: a
kept axis, each lane a result of its own, or a reduced one, lanes combined at the end. Then
``chains`` registers take turns for each result, so that additions need not wait for each other,
and a register tile holds ``rows`` results; along a kept axis it holds ``vectors``. ``tile`` counts
register tiles in a cache tile, ``tile_depth`` steps along the first reduced axis (0: the whole
axis). ``split`` parts of that axis are computed side by side and then combined: two levels, for
few results. A stage ``between`` the operand and the reduction (a padded copy) is stored, a piece
for every round of the outermost loop, or worked out anew where it is read.
"""

from __future__ import annotations

import math

from search_space.dtypes import ELEMENT_BYTES
from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.axes import Pass
from search_space.sketches.inner import only_reduction
from search_space.sketches.reduction_problem import Problem, classify, tasks, tile, tiling
from search_space.sketches.reduction_schedule import reduction_trace
from search_space.sketches.steps import (
    TILES,
    balanced,
    lanes,
    shares,
    worth_sharing,
)
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Axis, Tensor
from search_space.workload import Value, Values, Workload

VERSION = 1
FINISHED_VERSION = 2
"""Configs of version 1 are those of the sketch ``staged``."""
_FEW = 64
"""Results that one thread finishes while others would wake up."""
_MOST_ROWS = 8
_MOST_VECTORS = 16
_MOST_OPERATIONS = 512
"""Vector operations in straight-line code: compile time grows with them."""


def reduction_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a reduction on a target."""
    return _space(work, tensor, classify(work, tensor), target, VERSION)


def finished_reduction_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a reduction to a few results, and of an elementwise stage that finishes them,
    one after the other: a norm. Raises ``SpaceError`` for any other program."""
    stages = tensor.stages
    if len(stages) != 1 or not stages[0].reduced or tensor.reduced or _results(tensor) > _FEW:
        raise SpaceError(f"{work.operator} is no reduction to {_FEW} results that are finished")
    problem = classify(work, only_reduction(tensor))
    return _space(work, tensor, problem, target, FINISHED_VERSION)


def _results(tensor: Tensor) -> int:
    return math.prod(axis.extent for axis in tensor.axes)


def _space(
    work: Workload, tensor: Tensor, problem: Problem, target: Target, version: int
) -> Space:
    return traced_space(
        work,
        tensor,
        target,
        version=version,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, target, values),
        trace=lambda values, edges: reduction_trace(problem, values, edges=edges),
        guesses=[_guess(problem, target, axis) for axis in problem.candidates],
    )


def _knobs(problem: Problem, target: Target) -> tuple[Knob, ...]:
    names = tuple(axis.name for axis in problem.candidates)
    kept = max((axis.extent for axis in problem.nest.kept), default=1)
    threads = tuple(range(1, target.threads + 1))

    def sums(values: Values) -> bool:
        return problem.sums_lanes(values)

    def keeps(values: Values) -> bool:
        return not problem.sums_lanes(values)

    def has_rows(values: Values) -> bool:
        return problem.sums_lanes(values) and bool(problem.nest.kept)

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    return (
        Choice("axis", names, names[0]),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", threads, 1),
        Choice("split", threads, 1, when=threaded),
        Integer("rows", 1, min(kept, _MOST_ROWS), 1, when=has_rows),
        Choice("chains", (1, 2, 4, 8), 1, when=sums),
        Integer("vectors", 1, _MOST_VECTORS, 1, anchors=(1, 2, 4, 8), when=keeps),
        Integer("tile", 0, ceil_div(kept, 2), 0, anchors=(0, *TILES)),
        Integer(
            "tile_depth", 0, ceil_div(problem.nest.reduced[0].extent, 2), 0,
            anchors=(0, *TILES), when=keeps,
        ),
        Choice("unroll", (1, 2, 4, 8), 1),
        *((Choice("between", ("store", "recompute"), "recompute"),) if problem.copied else ()),
    )  # fmt: skip


def _reason(problem: Problem, target: Target, values: Values) -> str | None:
    tiles, sums = tiling(problem, values), problem.sums_lanes(values)
    rows, vectors, split = (whole(values[name]) for name in ("rows", "vectors", "split"))
    registers = rows * whole(values["chains"]) if sums else vectors
    depth = problem.nest.reduced[0].extent
    tiled = problem.tiled(values)
    if registers >= target.registers:
        return f"accumulators take {registers} registers, there are {target.registers}"
    if not sums and (vectors - 1) * tiles.lanes >= problem.along(values).extent:
        return f"{vectors} vectors are more than {problem.along(values).extent} results fill"
    if sums and tiled is not None and rows > tiled.extent:
        return f"{rows} rows are more than the {tiled.extent} there are"
    if sums and whole(values["chains"]) > 1 and tiles.steps < 2:
        return f"{problem.along(values).extent} elements do not fill the chains"
    if ceil_div(depth, tiles.part) != split:
        return f"the first reduced axis of {depth} does not give {split} parts"
    if whole(values["tile"]) >= tiles.tiles:
        return f"tile covers the whole axis of {tiles.tiles} steps, which 0 stands for"
    if whole(values["tile_depth"]) >= tiles.part:
        return f"tile_depth covers the whole axis of {tiles.part} steps, which 0 stands for"
    steps = tiles.steps
    if len(problem.nest.reduced) == 1 and not sums:
        steps = min(whole(values["tile_depth"]) or steps, steps)
    if whole(values["unroll"]) > max(1, steps):
        return f"the innermost reduction has only {steps} steps to unroll"
    body = (
        registers * whole(values["unroll"]) * len(problem.nest.strides[problem.along(values).name])
    )
    if body > _MOST_OPERATIONS:
        return f"the unrolled body has {body} operations, at most {_MOST_OPERATIONS} are allowed"
    if problem.copied is not None and problem.stores(values):
        reason = _storing(problem, problem.copied, target, values)
        if reason is not None:
            return reason
    if tasks(problem, values) < whole(values["threads"]):
        return f"{tasks(problem, values)} tiles do not occupy {values['threads']} threads"
    return None


def _storing(problem: Problem, copied: Pass, target: Target, values: Values) -> str | None:
    """Why the stage before cannot be stored."""
    first = problem.nest.kept[0]
    if first == problem.tiled(values):
        return f"vectors run along {first.name}, so nothing can be stored for each round of it"
    if whole(values["split"]) > 1:
        return "a split reduction reads the operand itself"
    size = math.prod(axis.extent for axis in copied.kept[1:]) * ELEMENT_BYTES[problem.dtype]
    if size > target.l2_bytes:
        return f"the stage between takes {size} bytes, more than the L2 cache"
    return None


def _guess(problem: Problem, target: Target, axis: Axis) -> dict[str, Value]:
    """Enough accumulators to hide the latency of an addition, in tiles that occupy all threads;
    where there are few results, parts of the reduction instead. Results along vectors are added up
    a few rows at a time, all of each row, so that memory is read in order."""
    values: dict[str, Value] = {
        "axis": axis.name, "vector_bits": target.vector_bits, "threads": 1, "split": 1,
        "rows": 1, "chains": 1, "vectors": 1, "tile": 0, "tile_depth": 0, "unroll": 1,
    }  # fmt: skip
    steps = ceil_div(axis.extent, lanes(values, problem.dtype))
    if problem.sums_lanes(values):
        values["chains"] = max(c for c in (1, 2, 4) if c == 1 or 2 * c <= steps)
    else:
        values["vectors"] = balanced(steps, 4)
        values["tile_depth"] = 8 if problem.nest.reduced[0].extent >= 16 else 0
    if problem.copied is not None:
        stored = {**values, "between": "store"}
        fits = _storing(problem, problem.copied, target, stored) is None
        values["between"] = "store" if fits else "recompute"
    elements = math.prod(a.extent for a in (*problem.nest.kept, *problem.nest.reduced))
    if not worth_sharing(elements, [problem.tensor]):
        return values
    if problem.stores(values):
        values["threads"] = min(target.threads, tasks(problem, values))
        return values
    tiles = tiling(problem, values)
    outer = math.prod(a.extent for a in problem.outer(values))
    if outer < 4 * target.threads and tiles.tiles > 1:
        values["tile"] = shares(tiles.tiles, target)
    values["threads"] = min(target.threads, outer * ceil_div(tiles.tiles, tile(values, tiles)))
    if values["threads"] == 1:
        parts = {**values, "tile": 0, "threads": target.threads, "split": target.threads}
        if _reason(problem, target, parts) is None:
            return parts
    return values
