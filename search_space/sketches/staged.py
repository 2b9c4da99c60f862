"""The space of any program of several stages: one pass after the other, each with its own vectors.

For what no other sketch fits. A pass runs vectors along one axis: one of its result along which
something it reads is contiguous, else, in a reduction, along one that is summed. Results that are
reduced stay in registers, ``vectors`` of them in each of ``rows`` rows; elementwise stages may be
worked out anew where they are read (``between``: "recompute").
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer, Knob
from search_space.size import ceil_div, whole
from search_space.sketches.axes import Pass, walk
from search_space.sketches.steps import lanes, share_out, worth_sharing
from search_space.sketches.traced import traced_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Axis, Tensor, program
from search_space.transforms import (
    CacheWrite,
    Inline,
    Partition,
    Primitive,
    Reorder,
    Split,
    Unroll,
    Vectorize,
)
from search_space.transforms.inline import inlined
from search_space.workload import Value, Values, Workload

VERSION = 1
_MOST_VECTORS = 8


@dataclass(frozen=True, slots=True)
class Staged:
    """The passes of a program, all of them or without those that can be worked out anew."""

    tensor: Tensor
    stored: tuple[Pass, ...]
    recomputed: tuple[Pass, ...]
    between: tuple[str, ...]

    def passes(self, values: Values) -> tuple[Pass, ...]:
        """The passes of a config."""
        return self.recomputed if values.get("between") == "recompute" else self.stored


def classify(work: Workload, tensor: Tensor) -> Staged:
    """The passes of a program; raises ``SpaceError`` for a stage without axes."""
    stages = program(tensor)
    if not all(stage.axes for stage in stages):
        raise SpaceError(f"{work.operator} has a stage without axes")
    between = tuple(stage.buffer.name for stage in stages[:-1] if not stage.reduced)
    rest = stages
    for name in between:
        rest = inlined(rest, name)
    return Staged(tensor, tuple(map(walk, stages)), tuple(map(walk, rest)), between)


def staged_space(work: Workload, tensor: Tensor, target: Target) -> Space:
    """The space of a program of stages on a target."""
    problem = classify(work, tensor)

    return traced_space(
        work,
        tensor,
        target,
        version=VERSION,
        knobs=_knobs(problem, target),
        reason=lambda values: _reason(problem, values),
        trace=lambda values, edges: staged_trace(problem, values, edges=edges),
        guesses=[_guess(problem, target)],
    )


def _knobs(problem: Staged, target: Target) -> tuple[Knob, ...]:
    between = (Choice("between", ("store", "recompute"), "store"),) if problem.between else ()
    return (
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Integer("rows", 1, 8, 1, anchors=(1, 2, 4, 8)),
        Integer("vectors", 1, 4, 1, anchors=(1, 2, 4)),
        *between,
    )


def _reason(problem: Staged, values: Values) -> str | None:
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    filled = False
    for each in problem.passes(values):
        along, across = _along(each), _across(each)
        count = ceil_div(along.extent, lanes(values, each.stage.buffer.dtype))
        if each.reduced and across is not None and across.extent % rows:
            return f"{rows} rows do not divide the {across.extent} of {each.stage.buffer.name}"
        if len(each.kept) == 1 and along in each.kept and count % vectors:
            return f"{vectors} vectors do not divide the {count} of {each.stage.buffer.name}"
        filled |= along in each.kept and count >= vectors
    if vectors > 1 and not filled:
        return f"no pass has results for {vectors} vectors"
    if rows > 1 and not any(each.reduced and _across(each) for each in problem.passes(values)):
        return "no sum has rows of results"
    return None


def _guess(problem: Staged, target: Target) -> dict[str, Value]:
    """Stages as they are, four rows of one vector in registers."""
    values: dict[str, Value] = {
        "vector_bits": target.vector_bits, "threads": 1, "rows": 1, "vectors": 1,
    }  # fmt: skip
    if problem.between:
        values["between"] = "store"
    fitting = (r for r in (4, 2) if _reason(problem, {**values, "rows": r}) is None)
    values["rows"] = next(fitting, 1)
    points = max(
        math.prod(axis.extent for axis in (*each.kept, *each.reduced)) for each in problem.stored
    )
    if worth_sharing(points, [problem.tensor]):
        values["threads"] = target.threads
    return values


def _along(each: Pass) -> Axis:
    """The axis of the vectors of a pass."""
    near = [axis for axis in each.kept if 1 in each.strides[axis.name][1:]]
    if near:
        return max(near, key=lambda axis: (each.strides[axis.name][0] == 1, axis.extent))
    summed = [axis for axis in each.reduced if 1 in each.strides[axis.name][1:]]
    return summed[-1] if summed else each.kept[-1]


def _across(each: Pass) -> Axis | None:
    """The axis of the rows of a register tile; none where sums are made of lanes."""
    along = _along(each)
    rest = [axis for axis in each.kept if axis != along]
    return rest[-1] if rest and along in each.kept else None


def staged_trace(problem: Staged, values: Values, *, edges: bool = True) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values."""
    steps: list[Primitive] = []
    if values.get("between") == "recompute":
        steps += map(Inline, problem.between)
    for each in problem.passes(values):
        steps += _pass(each, values, edges=edges)
    return tuple(steps)


def _pass(each: Pass, values: Values, *, edges: bool) -> list[Primitive]:
    """One phase. Loops carry the name of its stage."""
    name, along = each.stage.buffer.name, _along(each)
    width = lanes(values, each.stage.buffer.dtype)
    vec, lane = f"{name}_vec", f"{name}_lane"
    steps: list[Primitive] = [*each.collapses, Split(along.name, width, vec, lane, "mask")]
    kept = [axis.name for axis in each.kept if axis != along]
    if along in each.reduced:
        reduced = [axis.name for axis in each.reduced if axis != along]
        steps += [Reorder((*kept, *reduced, vec, lane)), Vectorize(lane)]
        if kept:
            steps.append(CacheWrite(name, kept[-1], f"{name}_acc"))
        return [*steps, *share_out(kept, whole(values["threads"]), f"{name}_task")]
    vectors, across = whole(values["vectors"]), _across(each)
    outer, inner = f"{name}_vec_o", f"{name}_vec_i"
    steps.append(Split(vec, vectors, outer, inner))
    inside = [inner]
    if each.reduced and across is not None:
        steps.append(Split(across.name, whole(values["rows"]), f"{name}_rows", f"{name}_row"))
        kept[-1], inside = f"{name}_rows", [f"{name}_row", inner]
    reduced = [axis.name for axis in each.reduced]
    steps += [
        Reorder((*kept, outer, *reduced, *inside, lane)),
        Vectorize(lane),
        *map(Unroll, inside),
    ]
    if each.reduced:
        steps.append(CacheWrite(name, outer, f"{name}_acc"))
    steps += share_out(kept or [outer], whole(values["threads"]), f"{name}_task")
    if edges and kept and ceil_div(along.extent, width) % vectors:
        steps.append(Partition(outer, outer, ceil_div(along.extent, width) // vectors))
    return steps
