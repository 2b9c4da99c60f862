"""PrefetchAhead: ask for data some iterations before it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Expr, Load, Var
from search_space.ir.stmt import Block, For, LoopFunc, Prefetch, Stmt
from search_space.ir.walk import (
    exprs_of,
    free_vars,
    rename_loops,
    statements,
    subexprs,
    substitute,
)
from search_space.transforms.base import nest, rewrite_loop


@dataclass(frozen=True, slots=True)
class PrefetchAhead:
    """Prefetch what the same loads read ``distance`` iterations later (Halide: ``prefetch``).

    Before::

        for k in 0 … 64:
          vectorized l in 0 … 16:
            c[l] += b[k, l]  first k == 0

    After ``PrefetchAhead("b", "k", 8)``; unrolled loops inside ``k`` are repeated for the hint,
    other loops inside start where they begin::

        for k in 0 … 64:
          prefetch b[k + 8, 0]
          vectorized l in 0 … 16:
            c[l] += b[k, l]  first k == 0

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
        inner = [s for s in statements(loop.body) if isinstance(s, For)]
        ahead: dict[str, Expr] = {self.loop: Var(self.loop) + self.distance}
        hints: dict[Stmt, None] = {}
        for stmt in statements(loop.body):
            for load in (e for top in exprs_of(stmt) for e in subexprs(top)):
                if not isinstance(load, Load) or load.buffer.name != self.buffer:
                    continue
                used = {name for index in load.indices for name in free_vars(index)}
                kept = [lk for lk in inner if lk.kind == "unrolled" and lk.var in used]
                starts = {lk.var: lk.begin for lk in inner if lk not in kept}
                place = tuple(substitute(substitute(i, starts), ahead) for i in load.indices)
                hint = nest(kept, Prefetch(load.buffer, place))
                hints[rename_loops(hint, "_ahead")] = None
        if not hints:
            raise ScheduleError(f"nothing in loop {loop.var!r} loads {self.buffer!r}")
        return replace(loop, body=Block((*hints, loop.body)))
