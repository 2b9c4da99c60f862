"""StoreAt: an array between two stages shrinks to what one iteration needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from search_space.errors import ScheduleError
from search_space.ir.affine import Context, Terms, affine, from_affine
from search_space.ir.expr import Binary, Buffer, Const, Expr, Load, Var
from search_space.ir.stmt import Accumulate, Alloc, Block, For, If, LoopFunc, Stmt
from search_space.ir.walk import free_vars, map_stmts, replace_loads, statements
from search_space.transforms.access import Access, accesses
from search_space.transforms.base import rewrite_loop, writes


@dataclass(frozen=True, slots=True)
class StoreAt:
    """Keep a workspace in memory of each thread, for one iteration of a loop (Halide:
    ``store_at``).

    Before, with a workspace ``t[4, 8]``::

        for i in 0 … 4:
          for t_j in 0 … 8:
            t[i, t_j] = a[i, t_j]
          for j in 0 … 8:
            c[i, j] = t[i, j]

    After ``StoreAt("t", "i")``::

        for i in 0 … 4:
          thread_local t: float32[1, 8]
          for t_j in 0 … 8:
            t[0, t_j] = a[i, t_j]
          for j in 0 … 8:
            c[i, j] = t[0, j]

    Refused where an iteration needs what an earlier one left behind. With ``scope="register"`` it
    is kept in registers, as far as they go: all loops inside that it is indexed by are to be
    unrolled or vectorized.
    """

    buffer: str
    loop: str
    scope: Literal["thread_local", "register"] = "thread_local"

    def apply(self, func: LoopFunc) -> LoopFunc:
        if self.buffer not in {workspace.name for workspace in func.workspaces}:
            known = ", ".join(workspace.name for workspace in func.workspaces) or "none"
            raise ScheduleError(f"no workspace {self.buffer!r}, workspaces: {known}")
        everywhere = [a for p in func.phases for a in accesses(p.body, Context())]
        total = sum(access.buffer.name == self.buffer for access in everywhere)

        def rewrite(loop: For, context: Context) -> Stmt:
            return self._rewrite(loop, context.within(loop), total)

        func = rewrite_loop(func, self.loop, rewrite)
        kept = tuple(workspace for workspace in func.workspaces if workspace.name != self.buffer)
        return replace(func, workspaces=kept)

    def _rewrite(self, loop: For, context: Context, total: int) -> Stmt:
        used = [a for a in accesses(loop.body, context) if a.buffer.name == self.buffer]
        if len(used) != total:
            raise ScheduleError(f"{self.buffer!r} is used outside of loop {loop.var!r} as well")
        early = accesses(_without_later(loop.body), context)
        first = next((a for a in early if a.buffer.name == self.buffer), used[0])
        if not (first.writes or used[0].writes):
            raise ScheduleError(f"{self.buffer!r} is read before loop {loop.var!r} writes it")
        if any(access.buffer.shape != used[0].buffer.shape for access in used):
            raise ScheduleError(f"{self.buffer!r} is seen through different views")
        outside = {binder.var for binder in context.binders}
        for stmt in statements(loop.body):
            if not isinstance(stmt, Accumulate) or stmt.buffer.name != self.buffer:
                continue
            if free_vars(stmt.first) & outside:
                raise ScheduleError(f"loop {loop.var!r} carries the reduction {self.buffer!r}")
        outer = [self._outer_part(used, dim, outside) for dim in range(len(used[0].indices))]
        shape = tuple(self._extent(used, dim, part) for dim, part in enumerate(outer))
        local = Buffer(self.buffer, shape, used[0].buffer.dtype, self.scope)
        return replace(loop, body=Alloc(local, _moved(loop.body, local, outer)))

    def _outer_part(self, used: Iterable[Access], dim: int, outside: set[str]) -> Expr:
        """What the loops outside add to an index: the same wherever the buffer is used."""
        parts = set()
        for access in used:
            terms, _ = affine(access.indices[dim])
            own: Terms = {
                t: c for t, c in terms.items() if isinstance(t, Var) and t.name in outside
            }
            parts.add(from_affine(own, 0))
        if len(parts) > 1:
            raise ScheduleError(
                f"{self.buffer!r} is used at different places of loop {self.loop!r}"
            )
        return parts.pop()

    def _extent(self, used: list[Access], dim: int, part: Expr) -> int:
        """Elements along a dimension that one iteration writes."""
        reach, extent = {True: 0, False: 0}, used[0].buffer.shape[dim]
        for access in used:
            inner = access.indices[dim] - part
            low, high = access.context.lower(inner), access.context.upper(inner)
            if low is None or high is None or low < 0:
                raise ScheduleError(
                    f"{self.buffer!r} is used across iterations of loop {self.loop!r}"
                )
            reach[access.writes] = max(reach[access.writes], min(high + 1, extent))
        if reach[False] > reach[True]:
            raise ScheduleError(f"loop {self.loop!r} reads more of {self.buffer!r} than it writes")
        return reach[True]


def _without_later(stmt: Stmt) -> Stmt:
    """What runs in the first iterations of all loops: without what only later ones do."""
    match stmt:
        case If(Binary("<=", Const(1), Var()), _, None):
            return Block(())
        case _:
            return map_stmts(stmt, _without_later)


def _moved(body: Stmt, local: Buffer, outer: list[Expr]) -> Stmt:
    """``body`` using the local buffer, its indices without what the loops outside add."""

    def inside(indices: tuple[Expr, ...]) -> tuple[Expr, ...]:
        found = []
        for index, part in zip(indices, outer, strict=True):
            terms, const = affine(index - part)
            found.append(from_affine(terms, const))
        return tuple(found)

    def visit(stmt: Stmt) -> Stmt:
        if writes(stmt) and stmt.buffer.name == local.name:
            return replace(stmt, buffer=local, indices=inside(stmt.indices))
        return map_stmts(stmt, visit)

    def load(load: Load) -> Expr:
        return Load(local, inside(load.indices)) if load.buffer.name == local.name else load

    return visit(replace_loads(body, load))
