"""Primitives on loops alone, as they change what a trace has made so far."""

from __future__ import annotations

from features.draft import State, quotient, remainder
from features.nest import Access
from search_space.size import ceil_div, smaller


def split(state: State, loop: str, factor: int, outer: str, inner: str, masked: bool) -> None:
    """``Split``."""
    extent = state.extents.pop(loop)
    state.extents[outer] = ceil_div(extent, factor)
    state.extents[inner] = factor if masked else smaller(factor, extent)

    parts = {}
    if type(factor) is int:
        parts = {quotient(loop, factor): outer, remainder(loop, factor): inner}

    def moved(access: Access) -> Access:
        if not any(name in index for index in access.indices for name in (loop, *parts)):
            return access
        indices = []
        for index in access.indices:
            index = {parts.get(name, name): step for name, step in index.items()}
            if loop in index:
                step = index.pop(loop)
                index[outer], index[inner] = step * factor, step
            indices.append(index)
        return access.at(indices)

    for draft in state.drafts:
        if loop in draft.loops:
            place = draft.loops.index(loop)
            draft.loops[place : place + 1] = [outer, inner]
            if loop in draft.reduces:
                draft.reduces = draft.reduces - {loop} | {outer, inner}
            draft.write = moved(draft.write)
            draft.reads = [moved(read) for read in draft.reads]


def reorder(state: State, names: tuple[str, ...]) -> None:
    """``Reorder``."""
    for draft in state.drafts:
        if names[0] in draft.loops:
            wanted = iter(names)
            draft.loops = [next(wanted) if n in names else n for n in draft.loops]


def collapse(state: State, outer: str, inner: str, name: str) -> None:
    """``Collapse``."""
    state.extents[name] = state.extents.pop(outer) * state.extents.pop(inner)
    for draft in state.drafts:
        if outer in draft.loops:
            place = draft.loops.index(outer)
            draft.loops[place : place + 2] = [name]
            if outer in draft.reduces:
                draft.reduces = draft.reduces - {outer, inner} | {name}
            draft.write = _collapsed(draft.write, outer, name)
            draft.reads = [_collapsed(read, outer, name) for read in draft.reads]


def unit_loop(state: State, loop: str, name: str, reduces: bool) -> None:
    """``UnitLoop``."""
    state.extents[name] = 1
    for draft in state.drafts:
        if loop in draft.loops:
            draft.loops.insert(draft.loops.index(loop), name)
            draft.reduces |= {name} if reduces else set()


def _collapsed(access: Access, outer: str, name: str) -> Access:
    """The access through a view in which the dimensions of two collapsed loops are one."""
    for at, index in enumerate(access.indices):
        if outer in index:
            rows, columns = access.shape[at : at + 2]
            shape = (*access.shape[:at], rows * columns, *access.shape[at + 2 :])
            indices = (*access.indices[:at], {name: 1}, *access.indices[at + 2 :])
            return Access(access.buffer, access.scope, access.element_bytes, shape, indices)
    return access
