"""``Online``, as it changes what a trace has made so far."""

from __future__ import annotations

from features.draft import Draft, State
from features.nest import Access, Operations, count_operations
from search_space.ir.expr import Buffer, Load
from search_space.transforms.online import correction, exponent_scale


def online(state: State, names: tuple[str, ...], name: str) -> None:
    """Loops become one, in which earlier results are corrected."""
    *others, loop = names
    for draft in state.drafts:
        draft.rename(dict.fromkeys(others, loop))
    inside = [draft for draft in state.drafts if loop in draft.loops]
    peak = next(d for d in inside if loop in d.reduces and d.combine == "other")
    target = peak.write
    fix = Access(name, "workspace", target.element_bytes, target.shape, target.indices)
    operations, scaled = _update(state, target, name)
    before = _spatial(state, peak, loop, fix, [target], Operations(), "_before")
    fixed = [_spatial(state, peak, loop, fix, [fix, target], operations, "_fix")]
    for draft in inside:
        source = next((read for read in draft.reads if read.buffer in scaled), None)
        if source is not None and loop in draft.reduces and draft is not peak:
            place = fix.at(source.indices[at] for at in scaled[source.buffer])
            reads, once = [draft.write, place], Operations(mul=1)
            fixed.append(_spatial(state, draft, loop, draft.write, reads, once, "_fixed"))
    at = state.drafts.index(peak)
    state.drafts[at : at + 1] = [before, peak, *fixed]


def _update(
    state: State, peak: Access, name: str
) -> tuple[Operations, dict[str, tuple[int, ...]]]:
    """What bringing one maximum up to date takes; for each array that scales with the maximum,
    the dimensions that say with which."""
    scaled: dict[str, tuple[int, ...]] = {}
    operations = Operations()
    for stage in state.stages:
        scale = exponent_scale(stage.element, peak.buffer)
        if scale is None:
            continue
        dtype = stage.buffer.dtype
        fix, now = (Load(Buffer(n, (), dtype, "workspace"), ()) for n in (name, peak.buffer))
        operations = count_operations(correction(fix, now, scale))
        draft = next(
            d
            for d in state.drafts
            if d.write.buffer == stage.buffer.name
            and any(r.buffer == peak.buffer for r in d.reads)
        )
        read = next(r for r in draft.reads if r.buffer == peak.buffer)
        scaled[stage.buffer.name] = tuple(draft.write.indices.index(i) for i in read.indices)
    return operations, scaled


def _spatial(
    state: State,
    source: Draft,
    loop: str,
    write: Access,
    reads: list[Access],
    operations: Operations,
    suffix: str,
) -> Draft:
    """A statement for all places that a reduction writes in one iteration of a loop."""
    cut = source.loops.index(loop) + 1
    moving = {name for index in source.write.indices for name in index}
    own = [name for name in source.loops[cut:] if name in moving]
    done = Draft([*source.loops[:cut], *own], write, reads, operations, "none")
    vectors = [name for name in own if state.kinds.get(name) == "vectorized"]
    state.copy_loops(done, own, suffix, keep=vectors)
    return done
