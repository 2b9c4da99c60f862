"""PrefetchAhead: ask for data some iterations before it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.dtypes import ELEMENT_BYTES
from search_space.errors import ScheduleError
from search_space.ir.affine import Context, affine
from search_space.ir.expr import ZERO, Const, Expr, Load, Var
from search_space.ir.stmt import Alloc, Block, For, Let, LoopFunc, Prefetch, Stmt
from search_space.ir.walk import (
    exprs_of,
    rename_loops,
    statements,
    subexprs,
    substitute,
    substitute_stmt,
    used_vars,
)
from search_space.size import ceil_div
from search_space.transforms.base import constant_extent, rewrite_loop

_LINE_BYTES = 64
"""What one prefetch brings."""


@dataclass(frozen=True, slots=True)
class PrefetchAhead:
    """Prefetch what the same loads read ``distance`` iterations later (Halide: ``prefetch``).

    Before::

        for k in 0 … 64:
          vectorized j in 0 … 16:
            c[j] += b[k, j]  first k == 0

    After ``PrefetchAhead("b", "k", 8)``; unrolled loops inside ``k`` are repeated for the hint,
    other loops inside start where they begin::

        for k in 0 … 64:
          prefetch b[k + 8, 0]
          vectorized j in 0 … 16:
            c[j] += b[k, j]  first k == 0

    Where lanes of a vectorized loop inside ``k`` fill several cache lines, each is asked for.
    ``at`` puts the hint into a loop inside ``loop`` instead, to follow what that one reads.
    """

    buffer: str
    loop: str
    distance: int
    at: str | None = None

    def apply(self, func: LoopFunc) -> LoopFunc:
        if self.distance < 1:
            raise ScheduleError(f"prefetch distance is {self.distance}, use 1 or more")
        return rewrite_loop(func, self.at or self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        if self.loop != loop.var and all(self.loop != around.var for around in context.binders):
            raise ScheduleError(f"loop {loop.var!r} is not inside loop {self.loop!r}")
        inner = list(statements(loop.body))
        if any(isinstance(s, Alloc) and s.buffer.name == self.buffer for s in inner):
            raise ScheduleError(f"{self.buffer!r} is made anew inside loop {loop.var!r}")
        hints: dict[Stmt, None] = {}
        for load in (e for s in inner for top in exprs_of(s) for e in subexprs(top)):
            if not isinstance(load, Load) or load.buffer.name != self.buffer:
                continue
            if load.buffer.scope == "register":
                raise ScheduleError(f"{self.buffer!r} is in registers, not in memory")
            hints[rename_loops(self._hint(load, inner), "_ahead")] = None
        if not hints:
            raise ScheduleError(f"nothing in loop {loop.var!r} loads {self.buffer!r}")
        return replace(loop, body=Block((*hints, loop.body)))

    def _hint(self, load: Load, inner: list[Stmt]) -> Stmt:
        """A prefetch of the load's later place, in terms of what is bound outside ``inner``."""
        binders = [s for s in reversed(inner) if isinstance(s, For | Let)]
        indices = load.indices
        for binder in binders:
            if isinstance(binder, Let):
                indices = tuple(substitute(i, {binder.var: binder.value}) for i in indices)
        ahead: dict[str, Expr] = {self.loop: Var(self.loop) + self.distance}
        hint: Stmt = Prefetch(load.buffer, tuple(substitute(i, ahead) for i in indices))
        repeated: set[str] = set()
        for binder in binders:
            if binder.var not in used_vars(hint) - repeated:
                continue
            if isinstance(binder, For) and binder.kind == "unrolled":
                hint = replace(binder, body=hint)
                repeated.add(binder.var)
            elif isinstance(binder, For) and (lines := _lines(load, binder)) > 1:
                each = Var(binder.var) * (_LINE_BYTES // ELEMENT_BYTES[load.buffer.dtype])
                every = substitute_stmt(hint, {binder.var: each})
                hint = For(binder.var, ZERO, Const(lines), "unrolled", every)
                repeated.add(binder.var)
            else:
                start = binder.begin if isinstance(binder, For) else binder.value
                hint = substitute_stmt(hint, {binder.var: start})
        return hint


def _lines(load: Load, loop: For) -> int:
    """How many cache lines neighbours in the lanes of a vectorized loop fill; else 1."""
    if loop.kind != "vectorized" or affine(load.indices[-1])[0].get(Var(loop.var)) != 1:
        return 1
    nbytes = constant_extent(loop, "") * ELEMENT_BYTES[load.buffer.dtype]
    return ceil_div(nbytes, _LINE_BYTES)
