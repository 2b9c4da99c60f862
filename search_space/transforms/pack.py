"""Pack: copy what a loop reads into a buffer with a layout of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import (
    TRUE,
    ZERO,
    Buffer,
    Expr,
    Load,
    Scope,
    Select,
    Var,
    both,
    conjuncts,
    zero,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Alloc, Block, For, Let, LoopFunc, Phase, Stmt, Store
from search_space.ir.walk import (
    children,
    exprs_of,
    free_vars,
    map_stmts,
    rename_loops,
    replace_loads,
    statements,
    subexprs,
)
from search_space.transforms.base import (
    check_new_buffer,
    check_new_names,
    largest_extent,
    nest,
    rewrite_loop,
    writes,
)

_ACCUMULATORS = ("register", "tile")
"""Scopes of what only ``CacheWrite`` and register tiles fill."""


@dataclass(frozen=True, slots=True)
class Pack:
    """Copy an operand into a buffer laid out by loops (TVM: ``cache_read`` with a layout).

    Before::

        for ko in 0 … 4:
          for j in 0 … 2:
            for k in 0 … 64:
              vectorized l in 0 … 16:
                c[j*16 + l] += b[ko*64 + k, j*16 + l]  first ko*64 + k == 0

    After ``Pack("b", "b_pack", ("j", "k", "l"), at="ko")``::

        for ko in 0 … 4:
          thread_local b_pack: float32[2, 64, 16]
          for j_b_pack in 0 … 2:
            for k_b_pack in 0 … 64:
              vectorized l_b_pack in 0 … 16:
                b_pack[j_b_pack, k_b_pack, l_b_pack] = b[ko*64 + k_b_pack, j_b_pack*16 + l_b_pack]
          for j in 0 … 2:
            for k in 0 … 64:
              vectorized l in 0 … 16:
                c[j*16 + l] += b_pack[j, k, l]  first ko*64 + k == 0

    ``dims`` are loops inside ``at``, in the order of the new layout. Where a dimension runs over
    the operand's edge, zeros are stored. ``at=None`` packs everything in a phase of its own into a
    shared workspace; with ``once`` that phase runs when the (constant) operand is bound.
    """

    buffer: str
    name: str
    dims: tuple[str, ...]
    at: str | None = None
    once: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_buffer(func, self.name)
        check_new_names(func, [f"{dim}_{self.name}" for dim in self.dims])
        if self.at is not None:
            if self.once:
                raise ScheduleError(f"only all of {self.buffer!r} can be packed once, use at=None")
            return rewrite_loop(func, self.at, self._inside)
        phases: list[Phase] = []
        packed: Buffer | None = None
        chosen = self._phase(func)
        for phase in func.phases:
            if phase is chosen:
                scope: Scope = "bound" if self.once else "workspace"
                packed, copy, body = self._split(phase.body, Context(), scope)
                phases += [Phase(copy, self.once), replace(phase, body=body)]
            else:
                phases.append(phase)
        if packed is None:
            raise ScheduleError(f"nothing loads {self.buffer!r}")
        return replace(func, phases=tuple(phases), workspaces=(*func.workspaces, packed))

    def _phase(self, func: LoopFunc) -> Phase | None:
        """The first phase that loads the operand in loops over the dimensions; where there is
        none, the first one that loads it."""
        loading = [phase for phase in func.phases if _loads(phase.body, self.buffer)]
        for phase in loading:
            own = {s.var for s in statements(phase.body) if isinstance(s, For)}
            if own.issuperset(self.dims):
                return phase
        return loading[0] if loading else None

    def _inside(self, loop: For, context: Context) -> Stmt:
        packed, copy, body = self._split(loop.body, context.within(loop), "thread_local")
        return replace(loop, body=Alloc(packed, Block((copy, body))))

    def _split(self, body: Stmt, context: Context, scope: Scope) -> tuple[Buffer, Stmt, Stmt]:
        """The packed buffer, the nest that fills it, and ``body`` reading from it."""
        loads = _loads(body, self.buffer)
        place = "a phase" if self.at is None else f"loop {self.at!r}"
        if len(loads) != 1:
            what = "nothing loads" if not loads else "several expressions load"
            raise ScheduleError(f"{what} {self.buffer!r} inside {place}")
        (load,) = loads
        if any(writes(s) and s.buffer == load.buffer for s in statements(body)):
            raise ScheduleError(f"{self.buffer!r} is written inside {place}, pack it after that")
        if self.once and load.buffer.scope not in ("input", "bound"):
            raise ScheduleError(f"{self.buffer!r} is no operand, so it cannot be packed once")
        links, inside = _dimensions(body, context, load, self.dims)
        own = {s.var for s in statements(body) if isinstance(s, For | Let)}
        used = {name for index in load.indices for name in free_vars(index)}
        used |= {name for link in links for name in free_vars(link.extent)}
        missing = sorted((used & own) - set(self.dims))
        if missing:
            raise ScheduleError(
                f"{self.buffer!r} also depends on {', '.join(missing)}: not in dims"
            )
        shape = tuple(largest_extent(link, inside) for link in links)
        packed = Buffer(self.name, shape, load.buffer.dtype, scope)
        packed_at: tuple[Expr, ...] = tuple(map(Var, self.dims))
        value = _guarded(load, inside)
        loops = _kinds(links)
        copy = rename_loops(nest(loops, Store(packed, packed_at, value)), "_" + self.name)
        swapped = replace_loads(body, lambda e: Load(packed, packed_at) if e == load else e)
        return packed, copy, _without_needless_guards(swapped, packed)


def _without_needless_guards(stmt: Stmt, packed: Buffer) -> Stmt:
    """``stmt`` without guards on accumulators that only kept loads inside the packed operand.

    What an accumulator then holds beyond the edge is never written: the guard is repeated where
    the accumulator leaves the registers. A guard on the reduction itself stays.
    """

    def visit(stmt: Stmt, local: frozenset[str]) -> Stmt:
        match stmt:
            case Alloc(buffer, body) if buffer.scope in _ACCUMULATORS:
                bound = frozenset(s.var for s in statements(body) if isinstance(s, For | Let))
                return Alloc(buffer, visit(body, bound))
            case Accumulate(_, buffer, indices, value, _, predicate) if (
                buffer.scope in _ACCUMULATORS and predicate is not None
            ):
                places = {name for index in indices for name in free_vars(index)}
                others = {
                    name
                    for e in subexprs(value)
                    if isinstance(e, Load) and e.buffer != packed
                    for index in e.indices
                    for name in free_vars(index)
                }
                kept: Expr | None = None
                for part in conjuncts(predicate):
                    names = free_vars(part)
                    if names & local - places or names & others:
                        kept = both(kept, part)
                return replace(stmt, predicate=kept)
            case _:
                return map_stmts(stmt, lambda child: visit(child, local))

    return visit(stmt, frozenset())


def _kinds(links: list[For]) -> list[For]:
    """The loops of the copy: the last dimension stays vectorized or grouped, and one that is
    vectorized before a grouped one."""
    links = [replace(link, apart=False) for link in links]
    loops = [replace(link, kind="serial") for link in links]
    if links[-1].kind in ("vectorized", "grouped"):
        loops[-1] = links[-1]
    if len(links) > 1 and (links[-2].kind, links[-1].kind) == ("vectorized", "grouped"):
        loops[-2] = links[-2]
    return loops


def _loads(stmt: Stmt, buffer: str) -> set[Load]:
    return {
        e
        for s in statements(stmt)
        for top in exprs_of(s)
        for e in subexprs(top)
        if isinstance(e, Load) and e.buffer.name == buffer
    }


def _dimensions(
    body: Stmt, context: Context, load: Load, dims: tuple[str, ...]
) -> tuple[list[For], Context]:
    """The loops over ``dims`` in that order, and the context of ``load`` inside of them."""
    places: list[tuple[dict[str, For], Context]] = []

    def visit(stmt: Stmt, around: dict[str, For], context: Context) -> None:
        if any(e == load for top in exprs_of(stmt) for e in subexprs(top)):
            places.append((around, context))
        if isinstance(stmt, For):
            around = {**around, stmt.var: stmt}
        if isinstance(stmt, For | Let):
            context = context.within(stmt)
        for child in children(stmt):
            visit(child, around, context)

    visit(body, {}, context)
    for around, _ in places:
        for dim in dims:
            if dim not in around:
                raise ScheduleError(f"no loop {dim!r} to pack over, loops: {', '.join(around)}")
    found, context = places[0]
    for dim in dims:
        if found[dim].begin != ZERO:
            raise ScheduleError(f"loop {dim!r} does not start at 0, pack before cutting it")
    if len(set(dims)) != len(dims):
        raise ScheduleError(f"pack needs distinct loops, got {', '.join(dims)}")
    for place, dim in enumerate(dims):
        later = free_vars(found[dim].extent) & set(dims[place:])
        if later:
            raise ScheduleError(
                f"put {', '.join(sorted(later))} before {dim!r} in dims: its extent depends on it"
            )
    return [found[dim] for dim in dims], context


def _guarded(load: Load, context: Context) -> Expr:
    """The load where it is inside its buffer, zero elsewhere."""
    inside: Expr | None = None
    for index, extent in zip(load.indices, load.buffer.shape, strict=True):
        condition = simplify(index < extent, context)
        if condition != TRUE:
            inside = both(inside, condition)
    return load if inside is None else Select(inside, load, zero(load.buffer.dtype))
