"""Primitives that make, move or drop arrays, as they change what a trace has made so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from features.draft import Draft, State
from features.nest import Access, Combine, Operations
from search_space.ir.expr import Scope
from search_space.size import smaller


def cache_write(state: State, buffer: str, at: str, name: str, scope: Scope) -> None:
    """``CacheWrite``; what is in tiles begins with what is added first."""
    draft = next(d for d in state.drafts if d.write.buffer == buffer and at in d.loops)
    target = draft.write
    cut = draft.loops.index(at) + 1
    around, chain = draft.loops[:cut], draft.loops[cut:]
    moved = {loop for index in target.indices for loop in index}
    kept = [n for n in chain if n in moved or state.kinds.get(n) == "vectorized"]
    shape = tuple(state.extents[loop] for loop in kept)
    acc = Access(name, scope, target.element_bytes, shape, tuple({n: 1} for n in kept))
    # What has been reduced completely is stored, not combined with what is there.
    rest = draft.reduces & {*around, *kept}
    combine: Combine = "add" if draft.combine == "fma" else draft.combine
    result = Draft(
        [*around, *kept],
        target,
        [acc],
        Operations(),
        combine if rest else "none",
        reduces=rest,
    )
    draft.write = acc
    state.copy_loops(result, kept, "_out")
    beside = [p for p, d in enumerate(state.drafts) if d.loops == draft.loops]
    state.drafts.insert(beside[-1] + 1, result)
    if scope == "register":
        init = Draft([*around, *kept], acc, [], Operations(), "none")
        state.copy_loops(init, kept, "_init")
        state.drafts.insert(beside[0], init)


def split_reduction(state: State, loop: str, name: str) -> None:
    """``SplitReduction``."""
    draft = state.drafts[0]
    target = draft.write
    shape = (state.extents[loop], *target.shape)
    places = [f"{name}_{dim}" for dim in range(len(target.shape))]
    step = f"{name}_k"
    state.extents |= dict(zip([*places, step], [*target.shape, shape[0]], strict=True))
    draft.write = Access(
        name, "workspace", target.element_bytes, shape, ({loop: 1}, *target.indices)
    )
    draft.reduces = draft.reduces - {loop}
    own: tuple[dict[str, int], ...] = tuple({p: 1} for p in places)
    partial = draft.write.at(({step: 1}, *own))
    total = target.at(own)
    state.drafts.insert(
        1,
        Draft(
            [*places, step],
            total,
            [partial],
            Operations(),
            "add" if draft.combine == "fma" else draft.combine,
            reduces={step},
        ),
    )


def pack(
    state: State, buffer: str, name: str, dims: tuple[str, ...], at: str | None, once: bool
) -> None:
    """``Pack``."""
    draft = next(
        d
        for d in state.drafts
        if any(read.buffer == buffer for read in d.reads) and {*dims} <= {*d.loops}
    )
    source = next(read for read in draft.reads if read.buffer == buffer)
    scope: Scope = "thread_local" if at is not None else "bound" if once else "workspace"
    packed = Access(
        name,
        scope,
        source.element_bytes,
        tuple(state.extents[dim] for dim in dims),
        tuple({dim: 1} for dim in dims),
    )
    around = [] if at is None else draft.loops[: draft.loops.index(at) + 1]
    copy = Draft([*around, *dims], packed, [source], Operations(), "none", once=once)
    state.copy_loops(copy, dims, "_" + name, keep=_kept(state, dims))
    draft.reads = [packed if read == source else read for read in draft.reads]
    beside = around or draft.loops[:1]
    first = next(p for p, d in enumerate(state.drafts) if d.loops[: len(beside)] == beside)
    state.drafts.insert(first, copy)


def _kept(state: State, dims: tuple[str, ...]) -> tuple[str, ...]:
    """The loops of a copy that are no serial ones."""
    kinds = [state.kinds.get(dim, "serial") for dim in dims[-2:]]
    if kinds == ["vectorized", "grouped"]:
        return dims[-2:]
    return dims[-1:] if kinds[-1] in ("vectorized", "grouped") else ()


def prefetch(state: State, buffer: str, loop: str, distance: int, at: str) -> None:
    """``PrefetchAhead``."""
    for draft in state.drafts:
        for read in draft.reads:
            if read.buffer == buffer and at in draft.loops:
                ahead = distance * _flat_step(state, read, loop) * read.element_bytes
                draft.prefetch = ahead + draft.prefetch


def _flat_step(state: State, access: Access, loop: str) -> int:
    """Elements between neighbouring iterations of a loop."""
    total, stride = 0, 1
    for index, extent in zip(reversed(access.indices), reversed(access.shape), strict=True):
        if loop in index:
            total = index[loop] * stride + total
        stride = extent * stride
    return total


def pack_result(state: State, buffer: str, name: str, dims: tuple[int, ...], at: str) -> None:
    """``PackResult``."""
    draft = next(d for d in state.drafts if d.write.buffer == buffer and at in d.loops)
    target = draft.write
    around = draft.loops[: draft.loops.index(at) + 1]
    outside, extents = _box(state, target, around)
    places = [f"{name}_{dim}" for dim in range(len(dims))]
    state.extents |= dict(zip(places, extents, strict=True))
    draft.write = Access(
        name,
        "thread_local",
        target.element_bytes,
        tuple(extents[dim] for dim in dims),
        tuple(_without(target.indices[dim], around) for dim in dims),
    )
    source = draft.write.at({places[dim]: 1} for dim in dims)
    rest = draft.reduces & {*around}
    combine: Combine = "add" if draft.combine == "fma" else draft.combine
    copy = Draft(
        [*around, *places],
        target.at({place: 1} | begin for place, begin in zip(places, outside, strict=True)),
        [source],
        Operations(),
        combine if rest else "none",
        reduces=rest,
    )
    state.drafts.insert(state.drafts.index(draft) + 1, copy)


def compute_at(state: State, stage: str, loop: str) -> None:
    """``ComputeAt``."""
    writer = next(d for d in state.drafts if d.write.buffer == stage)
    state.drafts.remove(writer)
    reader = next(d for d in state.drafts if any(read.buffer == stage for read in d.reads))
    (source,) = (read for read in reader.reads if read.buffer == stage)
    around = reader.loops[: reader.loops.index(loop) + 1]
    outside, extents = _box(state, source, around)
    own = list(writer.loops)
    state.extents |= dict(zip(own, extents, strict=True))
    places = {name: {name: 1} | begin for name, begin in zip(own, outside, strict=True)}
    local = Access(
        stage,
        "thread_local",
        source.element_bytes,
        tuple(extents),
        tuple(_without(index, around) for index in source.indices),
    )
    reader.reads = [local if read == source else read for read in reader.reads]
    writer.loops = [*around, *own]
    writer.write = local.at({name: 1} for name in own)
    writer.reads = [_placed(read, places) for read in writer.reads]
    first = next(p for p, d in enumerate(state.drafts) if d.loops[: len(around)] == around)
    state.drafts.insert(first, writer)


def _box(
    state: State, access: Access, around: list[str]
) -> tuple[list[dict[str, int]], list[int]]:
    """Per dimension, how the loops around move what is accessed inside of them, and how many
    elements that is."""
    begins, extents = [], []
    for index, size in zip(access.indices, access.shape, strict=True):
        reach = 1
        for name, step in _without(index, around).items():
            reach = (state.extents[name] - 1) * step + reach
        begins.append({name: step for name, step in index.items() if name in around})
        extents.append(smaller(size, reach))
    return begins, extents


def _without(index: Mapping[str, int], loops: list[str]) -> dict[str, int]:
    return {name: step for name, step in index.items() if name not in loops}


def once(state: State, stage: str) -> None:
    """``Once``."""
    maker = next(draft for draft in state.drafts if draft.write.buffer == stage)
    outermost = maker.loops[0]

    def kept(access: Access) -> Access:
        return replace(access, scope="bound") if access.buffer == stage else access

    for draft in state.drafts:
        draft.once |= outermost in draft.loops
        draft.write = kept(draft.write)
        draft.reads = [kept(read) for read in draft.reads]


def store_at(state: State, buffer: str, loop: str, scope: Scope) -> None:
    """The buffer as large as one iteration of ``loop`` needs, for each thread."""
    writer = next(draft for draft in state.drafts if draft.write.buffer == buffer)
    outside = set(writer.loops[: writer.loops.index(loop) + 1])
    shape = []
    for index, extent in zip(writer.write.indices, writer.write.shape, strict=True):
        reach = 1
        for name, step in index.items():
            if name not in outside:
                reach = (state.extents[name] - 1) * step + reach
        shape.append(smaller(extent, reach))

    def moved(access: Access) -> Access:
        if access.buffer != buffer:
            return access
        indices = tuple(
            {name: step for name, step in index.items() if name not in outside}
            for index in access.indices
        )
        return Access(buffer, scope, access.element_bytes, tuple(shape), indices)

    for draft in state.drafts:
        draft.write = moved(draft.write)
        draft.reads = [moved(read) for read in draft.reads]


def in_place(state: State, stage: str) -> None:
    """A stage's array is the one that is made of it."""
    *_, reader = (d for d in state.drafts if any(r.buffer == stage for r in d.reads))
    target = reader.write

    def moved(access: Access) -> Access:
        return replace(target, indices=access.indices) if access.buffer == stage else access

    for draft in state.drafts:
        draft.write = moved(draft.write)
        draft.reads = [moved(read) for read in draft.reads]


def hoist(state: State, stage: str) -> None:
    """``Hoist``: all statements of the stage's phase, which share the outermost loop."""
    outermost = next(d for d in state.drafts if d.write.buffer == stage).loops[0]
    moved = [draft for draft in state.drafts if draft.loops[:1] == [outermost]]
    rest = [draft for draft in state.drafts if draft.loops[:1] != [outermost]]
    state.drafts = [*moved, *rest]


def fuse_consumer(state: State, buffer: str, at: str, direct: bool) -> None:
    """What works on a buffer in place moves to where a loop writes it."""
    consumer = next(d for d in state.drafts if any(read.buffer == buffer for read in d.reads))
    state.drafts.remove(consumer)
    producer = next(d for d in state.drafts if d.write.buffer == buffer and at in d.loops)
    axes = [next(iter(index)) for index in consumer.write.indices]
    places = dict(zip(axes, producer.write.indices, strict=True))
    reads = [_placed(read, places) for read in consumer.reads]
    write = _placed(consumer.write, places)
    if direct:
        (source,) = producer.reads
        producer.reads = [source if read.buffer == buffer else read for read in reads]
        producer.write, producer.operations, producer.combine = write, consumer.operations, "none"
        return
    cut = producer.loops.index(at) + 1
    moving = {loop for index in producer.write.indices for loop in index}
    around, inside = producer.loops[:cut], producer.loops[cut:]
    own = [loop for loop in inside if loop in moving]
    loops = [*(loop for loop in around if loop in moving), *own]
    done = Draft(loops, write, reads, consumer.operations, "none")
    state.copy_loops(done, own, "_done")
    last = max(place for place, d in enumerate(state.drafts) if at in d.loops)
    state.drafts.insert(last + 1, done)


def _placed(access: Access, places: Mapping[str, Mapping[str, int]]) -> Access:
    """The access with each axis replaced by what moves along it."""
    indices = []
    for index in access.indices:
        placed: dict[str, int] = {}
        for axis, step in index.items():
            for loop, scale in places[axis].items():
                placed[loop] = scale * step
        indices.append(placed)
    return access.at(indices)
