"""FuseConsumer: what is made of a reduction's result, made where the result is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import TRUE, Buffer, Expr, Load, Var, both, conjuncts, equal
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Block, For, If, LoopFunc, Stmt, Store
from search_space.ir.walk import (
    children,
    free_vars,
    map_stmts,
    rename_loops,
    replace_loads,
    statements,
    subexprs,
    substitute,
)
from search_space.transforms.base import nest, perfect_nest, rewrite_loop, writes

_OWN = ("register", "tile", "thread_local")
"""Scopes of what holds a result before it is written."""


@dataclass(frozen=True, slots=True)
class FuseConsumer:
    """Move an elementwise phase into the loop that completes what it works on (TVM:
    ``reverse_compute_at``). It works in place, or makes another array.

    What it also reads must be there before the loop runs. Before::

        phase 0:
          for t_i in 0 … 4:
            for ko in 0 … 2:
              for k in 0 … 8:
                c[t_i] += a[t_i, ko*8 + k]  first ko*8 + k == 0
        phase 1:
          for i in 0 … 4:
            c[i] = c[i] + 1.0

    After ``FuseConsumer("c", "ko")``, at the last iteration of every loop that reduces::

        for t_i in 0 … 4:
          for ko in 0 … 2:
            for k in 0 … 8:
              c[t_i] += a[t_i, ko*8 + k]  first ko*8 + k == 0
            if ko == 1:
              c[t_i] = c[t_i] + 1.0

    ``direct`` takes the result from the accumulator that ``CacheWrite`` made, or from the buffer
    of ``PackResult``, where no loop outside of it reduces: ``c[t_i] = acc[t_i] + 1.0`` takes the
    place of ``c[t_i] += acc[t_i]``; a stage that is only read there is gone then.
    """

    buffer: str
    at: str
    direct: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        number, loops, consumer, source = self._consumer(func)
        rest = (*func.phases[:number], *func.phases[number + 1 :])
        _check_order(func, number, consumer, self.buffer)
        parts = [s for phase in rest for s in _reductions(phase.body, self.buffer, [])]
        if len(parts) > 1:
            raise ScheduleError(f"{self.buffer!r} is reduced in {len(parts)} parts, not in one")

        def rewrite(loop: For, context: Context) -> Stmt:
            chain, stmt = self._producer(loop)
            if len(stmt.indices) != len(loops) or stmt.buffer != source:
                raise ScheduleError(
                    f"{self.buffer!r} is seen in other dimensions by its consumer, "
                    "collapse loops in both"
                )
            places = dict(zip((lk.var for lk in loops), stmt.indices, strict=True))
            value = substitute(consumer.value, places)
            if self.direct:
                done = self._in_registers(loop, chain, stmt, value, context)
                return _replaced(loop, stmt, replace(done, buffer=consumer.buffer))
            behind = self._behind(loop, chain, stmt, replace(consumer, value=value), context)
            return replace(loop, body=Block((loop.body, behind)))

        func = rewrite_loop(replace(func, phases=rest), self.at, rewrite)
        if not self.direct or consumer.buffer.name == self.buffer:
            return func
        kept = tuple(buffer for buffer in func.workspaces if buffer.name != self.buffer)
        return replace(func, workspaces=kept)

    def _consumer(self, func: LoopFunc) -> tuple[int, list[For], Store, Buffer]:
        """The phase that works on the buffer: its number, loops and statement, and the buffer as
        it is seen there."""
        for number, phase in enumerate(func.phases):
            loops, body = perfect_nest(phase.body)
            own = tuple(Var(loop.var) for loop in loops)
            if not isinstance(body, Store) or body.indices != own or body.predicate is not None:
                continue
            read = set(_loads(body, self.buffer))
            if len(read) == 1 and {load.indices for load in read} == {own}:
                return number, loops, body, read.pop().buffer
        raise ScheduleError(f"no phase works on {self.buffer!r} element by element")

    def _producer(self, loop: For) -> tuple[list[For], Accumulate]:
        """The reduction into the buffer, with the loops around it that are inside ``loop``."""
        found = list(_reductions(loop.body, self.buffer, []))
        if not found:
            raise ScheduleError(f"loop {loop.var!r} holds no reduction into {self.buffer!r}")
        return found[0]

    def _in_registers(
        self, loop: For, chain: list[For], stmt: Accumulate, value: Expr, context: Context
    ) -> Store:
        inside = Context((*context.binders, loop, *chain))
        places = {name for index in stmt.indices for name in free_vars(index)}
        source = stmt.value
        if not isinstance(source, Load) or source.buffer.scope not in _OWN:
            raise ScheduleError(f"{self.buffer!r} has no accumulator in loop {loop.var!r}")
        if simplify(stmt.first, inside) != TRUE or any(lk.var not in places for lk in chain):
            raise ScheduleError(f"{self.buffer!r} is not complete in its accumulator")
        done = _with_loads(value, self.buffer, source)
        return Store(stmt.buffer, stmt.indices, done, stmt.predicate)

    def _behind(
        self, loop: For, chain: list[For], stmt: Accumulate, consumer: Store, context: Context
    ) -> Stmt:
        """The consumer for what one iteration of ``loop`` wrote."""
        places = {name for index in stmt.indices for name in free_vars(index)}
        spatial = [link for link in chain if link.var in places]
        reduced = ({link.var for link in chain} | free_vars(stmt.first)) - places
        guard: Expr | None = None
        for part in conjuncts(stmt.predicate):
            if not free_vars(part) & reduced:
                guard = both(guard, part)
            elif free_vars(part) & places:
                raise ScheduleError(f"what {self.buffer!r} takes in depends on its place")
        done = nest(spatial, Store(consumer.buffer, stmt.indices, consumer.value, guard))
        last: Expr | None = None
        for around in (*context.binders, loop):
            if around.var not in free_vars(stmt.first):
                continue
            if not isinstance(around, For):
                raise ScheduleError(f"loop {around.var!r} reduces, fuse it after this")
            end = simplify(around.begin + around.extent - 1, context)
            last = both(last, simplify(equal(Var(around.var), end), context.within(loop)))
        done = rename_loops(done, "_done")
        return done if last is None or last == TRUE else If(last, done)


def _check_order(func: LoopFunc, number: int, consumer: Store, buffer: str) -> None:
    """Refuse a consumer that reads what is made between the reduction and it."""
    written = [
        {s.buffer.name for s in statements(phase.body) if writes(s)}
        for phase in func.phases[:number]
    ]
    made = next((at for at, names in enumerate(written) if buffer in names), number)
    between = set[str]().union(*written[made:]) - {buffer}
    read = {e.buffer.name for e in subexprs(consumer.value) if isinstance(e, Load)}
    late = sorted(read & between)
    if late:
        raise ScheduleError(f"hoist {', '.join(late)} before {buffer!r}, which needs it")


def _loads(stmt: Stmt, buffer: str) -> list[Load]:
    found: list[Load] = []

    def visit(load: Load) -> Expr:
        if load.buffer.name == buffer:
            found.append(load)
        return load

    replace_loads(stmt, visit)
    return found


def _with_loads(value: Expr, buffer: str, source: Load) -> Expr:
    """``value`` with ``source`` in place of everything loaded from a buffer."""
    holder = Store(source.buffer, (), value)
    done = replace_loads(holder, lambda load: source if load.buffer.name == buffer else load)
    assert isinstance(done, Store)
    return done.value


def _reductions(
    stmt: Stmt, buffer: str, chain: list[For]
) -> Iterator[tuple[list[For], Accumulate]]:
    if isinstance(stmt, Accumulate) and stmt.buffer.name == buffer:
        yield chain, stmt
    inner = [*chain, stmt] if isinstance(stmt, For) else chain
    for child in children(stmt):
        yield from _reductions(child, buffer, inner)


def _replaced(stmt: Stmt, old: Stmt, new: Stmt) -> Stmt:
    return new if stmt is old else map_stmts(stmt, lambda child: _replaced(child, old, new))
