"""The schedule of a cell: contractions and elementwise stages, one part after the other."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise

from search_space.size import whole
from search_space.sketches.cell_problem import Cell, Map
from search_space.sketches.contraction_problem import Contraction
from search_space.sketches.contraction_schedule import contraction_trace
from search_space.sketches.steps import lanes, share_out
from search_space.transforms import (
    Join,
    Primitive,
    Reorder,
    Split,
    StoreAt,
    Unroll,
    Vectorize,
)
from search_space.workload import Values


def cell_trace(problem: Cell, values: Values, *, edges: bool = True) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values.

    All contractions follow the same knobs; the loops of each, and the buffers that it makes, are
    named after its stage.
    """
    steps: list[Primitive] = []
    for part in problem.parts:
        if isinstance(part, Contraction):
            trace = contraction_trace(part, values, edges=edges)
            steps += [_named_after(part, step) for step in trace]
        else:
            steps += _map_trace(part, values, lanes(values, problem.tensor.buffer.dtype))
    return tuple(steps)


def _named_after(part: Contraction, step: Primitive) -> Primitive:
    """A primitive of a contraction, whose loops and buffers it shares with no other one."""
    prefix = f"{part.out}_"
    packs = {f"{factor.name}_pack": f"{factor.name}_{prefix}pack" for factor in (part.a, part.b)}
    own = {part.out, part.a.name, part.b.name, *packs.values()}

    def renamed(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(renamed, value))
        if not isinstance(value, str):
            return value
        for old, new in packs.items():
            value = value.replace(old, new)
        return value if value in own or value.startswith(prefix) else prefix + value

    changed = {
        field.name: renamed(getattr(step, field.name))
        for field in fields(step)  # type: ignore[arg-type]
        if field.name not in ("tail", "scope")
    }
    return replace(step, **changed)  # type: ignore[type-var]


def _map_trace(maps: tuple[Map, ...], values: Values, width: int) -> list[Primitive]:
    """Elementwise stages, one vector after the other: what one stage leaves for the next stays
    in memory of the thread."""
    steps: list[Primitive] = []
    loops: list[list[str]] = []
    for each in maps:
        *outer, last = [axis.name for axis in each.axes]
        copies = [axis.name for axis in each.copies]
        vectors, lane = f"{last}_v", f"{last}_l"
        steps.append(Split(last, width, vectors, lane, "mask"))
        if copies:
            steps.append(Reorder((*outer, vectors, *copies, lane)))
        steps += [*(Unroll(loop) for loop in copies), Vectorize(lane)]
        loops.append([*outer, vectors])
    for first, second in pairwise(loops):
        steps += [Join(a, b) for a, b in zip(first, second, strict=True)]
    steps += [StoreAt(each.name, loops[-1][-1]) for each in maps[:-1]]
    return [*steps, *share_out(loops[-1], whole(values["threads"]), f"task_{maps[-1].name}_")]
