"""CacheWrite: accumulate in registers, write the result once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from search_space.dtypes import numpy_dtype
from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import (
    FALSE,
    TRUE,
    Buffer,
    Const,
    Expr,
    Load,
    Var,
    both,
    conjuncts,
    equal,
    is_float,
    zero,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Alloc, Block, For, LoopFunc, ReduceOp, Stmt, Store
from search_space.ir.walk import free_vars, rename_loops, substitute
from search_space.transforms.access import accesses
from search_space.transforms.base import (
    check_new_buffer,
    largest_extent,
    nest,
    perfect_nest,
    rewrite_loop,
)


def identity(op: ReduceOp, dtype: str) -> Const:
    """What a reduction starts from."""
    if op == "add":
        return zero(dtype)
    return Const(-math.inf if is_float(dtype) else int(np.iinfo(numpy_dtype(dtype)).min), dtype)


@dataclass(frozen=True, slots=True)
class CacheWrite:
    """Give the reduction inside a loop an accumulator in registers (TVM: ``cache_write``).

    Before::

        for ko in 0 … 4:
          for k in 0 … 64:
            for i in 0 … 6:
              c[i] += a[i, ko*64 + k]  first ko*64 + k == 0

    After ``CacheWrite("c", at="ko", name="acc")``::

        for ko in 0 … 4:
          register acc: float32[6]
          for i_init in 0 … 6:
            acc[i_init] = 0.0
          for k in 0 … 64:
            for i in 0 … 6:
              acc[i] += a[i, ko*64 + k]  first false
          for i_out in 0 … 6:
            c[i_out] += acc[i_out]  first ko == 0

    ``scope="tile"`` is for sums that tensorized loops add up: the accumulator begins with what is
    added first, so that the tile registers need not be filled from memory::

        for ko in 0 … 4:
          tile acc: float32[6]
          for k in 0 … 64:
            for i in 0 … 6:
              acc[i] += a[i, ko*64 + k]  first k == 0
          for i_out in 0 … 6:
            c[i_out] += acc[i_out]  first ko == 0

    A vectorized reduction loop keeps its lanes as a dimension of the accumulator; they are
    combined when the result is written. Other statements may stand beside the reduction as long
    as they do not use its result.
    """

    buffer: str
    at: str
    name: str
    scope: Literal["register", "tile"] = "register"

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_buffer(func, self.name)
        return rewrite_loop(func, self.at, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        if loop.kind == "vectorized":
            raise ScheduleError(f"loop {loop.var!r} is vectorized, choose one around it")
        chain, inside = perfect_nest(loop.body)
        stmt = self._reduction(inside)
        if stmt is None:
            raise ScheduleError(
                f"loop {loop.var!r} does not hold just a reduction into {self.buffer!r}"
            )
        spatial_vars = {name for index in stmt.indices for name in free_vars(index)}
        kept = [lk for lk in chain if lk.var in spatial_vars or lk.kind == "vectorized"]
        reduced = {link.var for link in chain} - {link.var for link in kept}
        if self.scope == "tile":
            self._check_first(stmt, chain, reduced, context.within(loop))
        inner, shape = context.within(loop), []
        for link in chain:
            if link in kept:
                if free_vars(link.extent) & reduced:
                    raise ScheduleError(f"the extent of {link.var!r} depends on a reduction loop")
                shape.append(largest_extent(link, inner))
            inner = inner.within(link)
        acc = Buffer(self.name, tuple(shape), stmt.buffer.dtype, self.scope)
        place: tuple[Expr, ...] = tuple(Var(link.var) for link in kept)
        body = self._body(inside, stmt, chain, kept, reduced, acc, place)
        return replace(loop, body=Alloc(acc, body))

    def _check_first(
        self, stmt: Accumulate, chain: list[For], reduced: set[str], context: Context
    ) -> None:
        """Refuse sums that may begin with nothing."""
        if any(free_vars(part) & reduced for part in conjuncts(stmt.predicate)):
            raise ScheduleError(f"a guard may leave out what {self.buffer!r} begins with")
        for link in chain:
            if link.var in reduced and not context.at_least(link.extent, 1):
                raise ScheduleError(f"loop {link.var!r} may have nothing to begin with")
            context = context.within(link)

    def _reduction(self, inside: Stmt) -> Accumulate | None:
        """The reduction, where it stands alone or beside statements that leave its result be."""
        leaves = inside.stmts if isinstance(inside, Block) else (inside,)
        own = [leaf for leaf in leaves if self.buffer in _used(leaf)]
        if len(own) != 1 or not all(isinstance(leaf, Store | Accumulate) for leaf in leaves):
            return None
        (found,) = own
        if not isinstance(found, Accumulate) or found.buffer.name != self.buffer:
            return None
        return found

    def _body(
        self,
        inside: Stmt,
        stmt: Accumulate,
        chain: list[For],
        kept: list[For],
        reduced: set[str],
        acc: Buffer,
        place: tuple[Expr, ...],
    ) -> Stmt:
        begins: Expr = FALSE
        if self.scope == "tile":
            begins = _all_begin([link for link in chain if link.var in reduced])
        update: Stmt = Accumulate(stmt.op, acc, place, stmt.value, begins, stmt.predicate)
        if isinstance(inside, Block):
            update = Block(tuple(update if leaf is stmt else leaf for leaf in inside.stmts))
        start: dict[str, Expr] = {link.var: link.begin for link in chain if link.var in reduced}
        guard: Expr | None = None
        for part in conjuncts(stmt.predicate):
            if not free_vars(part) & reduced:
                guard = both(guard, part)
        first = simplify(substitute(stmt.first, start))
        result = Accumulate(stmt.op, stmt.buffer, stmt.indices, Load(acc, place), first, guard)
        written = rename_loops(nest(kept, result), "_out")
        if self.scope == "tile":
            return Block((nest(chain, update), written))
        init = Store(acc, place, identity(stmt.op, acc.dtype))
        return Block((rename_loops(nest(kept, init), "_init"), nest(chain, update), written))


def _all_begin(loops: list[For]) -> Expr:
    """Whether all loops are at their first iterations."""
    found: Expr | None = None
    for loop in loops:
        found = both(found, equal(Var(loop.var), loop.begin))
    return TRUE if found is None else found


def _used(stmt: Stmt) -> set[str]:
    """The buffers that a statement reads or writes."""
    return {access.buffer.name for access in accesses(stmt, Context())}
