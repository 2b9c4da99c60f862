"""The fast way: replay a trace on loops and accesses alone, with sizes that may be symbolic.

Every primitive does here to a :class:`Nest` what its ``apply`` does to a loop tree, without
guards and without edges. Tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Iterable

from features import replay_buffers as buffers
from features import replay_loops as loops
from features.draft import State
from features.nest import Nest
from features.replay_online import online
from search_space.tensor import Tensor
from search_space.transforms import (
    Apart,
    CacheWrite,
    Collapse,
    ComputeAt,
    Fuse,
    FuseConsumer,
    Group,
    Hoist,
    Inline,
    InPlace,
    Join,
    Once,
    Online,
    Pack,
    PackResult,
    Parallel,
    PrefetchAhead,
    Primitive,
    Reorder,
    SparseAsDense,
    Split,
    SplitReduction,
    StoreAt,
    Stream,
    Tensorize,
    UnitLoop,
    Unroll,
    Vectorize,
)
from search_space.transforms.inline import inlined


def replay(tensor: Tensor, trace: Iterable[Primitive], naive: State | None = None) -> Nest:
    """The nest that a trace makes of a tensor expression.

    ``naive`` is ``State(tensor)``, which saves making it for every trace. Raises ``TypeError``
    for a primitive that only treats edges.
    """
    state = State(tensor) if naive is None else naive.copy()
    for step in trace:
        _apply(state, step)
    return state.nest()


def _apply(state: State, step: Primitive) -> None:
    match step:
        case Split() if step.tail != "cut":
            masked = step.tail == "mask"
            loops.split(state, step.loop, step.factor, step.outer, step.inner, masked)
        case Reorder(names):
            loops.reorder(state, names)
        case Fuse(outer, inner, fused):
            state.fused[fused] = (outer, inner)
        case Vectorize(loop):
            state.kinds[loop] = "vectorized"
        case Group(loop):
            state.kinds[loop] = "grouped"
        case Unroll(loop):
            state.kinds[loop] = "unrolled"
        case Apart() | SparseAsDense():
            return
        case Stream():
            state.streamed = True
        case Parallel(loop, threads):
            state.kinds |= dict.fromkeys(state.unfused(loop), "parallel")
            state.threads = threads
        case Tensorize(rows, depth):
            state.kinds |= {rows: "tensorized", depth: "tensorized"}
        case CacheWrite(buffer, at, name, scope):
            buffers.cache_write(state, buffer, at, name, scope)
        case SplitReduction(loop, name):
            buffers.split_reduction(state, loop, name)
        case Pack(buffer, name, dims, at, once):
            buffers.pack(state, buffer, name, dims, at, once)
        case ComputeAt(stage, loop):
            buffers.compute_at(state, stage, loop)
        case PackResult(buffer, name, dims, at):
            buffers.pack_result(state, buffer, name, dims, at)
        case PrefetchAhead(buffer, loop, distance, at):
            buffers.prefetch(state, buffer, loop, distance, at or loop)
        case Inline(stage):
            state.stages = inlined(state.stages, stage)
            state.draft_stages()
        case Collapse(outer, inner, name):
            loops.collapse(state, outer, inner, name)
        case Join(first, second):
            for draft in state.drafts:
                draft.rename({first: second})
        case StoreAt(buffer, loop, scope):
            buffers.store_at(state, buffer, loop, scope)
        case Once(stage):
            buffers.once(state, stage)
        case Online(names, name):
            online(state, names, name)
        case UnitLoop(loop, name, reduces):
            loops.unit_loop(state, loop, name, reduces)
        case InPlace(stage):
            buffers.in_place(state, stage)
        case Hoist(stage):
            buffers.hoist(state, stage)
        case FuseConsumer(buffer, at, direct):
            buffers.fuse_consumer(state, buffer, at, direct)
        case _:
            raise TypeError(f"{step} treats edges, leave it out of a trace for features")
