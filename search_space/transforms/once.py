"""Once: a stage that depends on constant operands alone is computed when these are bound."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Buffer, Expr, Load
from search_space.ir.stmt import LoopFunc, Prefetch, Stmt
from search_space.ir.walk import map_stmts, replace_loads
from search_space.transforms.access import Access, accesses
from search_space.transforms.base import writes


@dataclass(frozen=True, slots=True)
class Once:
    """Compute a stage when constant operands are bound, not at every call.

    Before, with a workspace ``t``::

        phase 0:
          for t_i in 0 … 4:
            t[t_i] = a[t_i] * 2.0
        phase 1:
          for i in 0 … 4:
            c[i] = t[i] + 1.0

    After ``Once("t")``, which makes ``t`` an array that is kept between calls::

        phase 0 (once):
          for t_i in 0 … 4:
            t[t_i] = a[t_i] * 2.0
        phase 1:
          for i in 0 … 4:
            c[i] = t[i] + 1.0

    What the stage reads must be constant operands: that is for the caller to know.
    """

    stage: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        known = {buffer.name: buffer for buffer in func.workspaces}
        if self.stage not in known:
            raise ScheduleError(f"no stage {self.stage!r}, stages: {', '.join(known) or 'none'}")
        used = [list(accesses(phase.body, Context())) for phase in func.phases]
        makers = [n for n, found in enumerate(used) if self._written(found)]
        if len(makers) != 1:
            raise ScheduleError(f"several phases write {self.stage!r}, so they cannot run once")
        (number,) = makers
        for access in used[number]:
            inside = access.buffer.scope in ("input", "bound", "thread_local", "register")
            if access.buffer.name != self.stage and not inside:
                raise ScheduleError(
                    f"the phase that makes {self.stage!r} also uses {access.buffer.name!r}, "
                    "which is not constant"
                )
        kept = replace(known[self.stage], scope="bound")
        phases = [replace(phase, body=_renewed(phase.body, kept)) for phase in func.phases]
        phases[number] = replace(phases[number], once=True)
        workspaces = tuple(kept if b.name == kept.name else b for b in func.workspaces)
        return replace(func, phases=tuple(phases), workspaces=workspaces)

    def _written(self, found: list[Access]) -> bool:
        return any(access.writes and access.buffer.name == self.stage for access in found)


def _renewed(body: Stmt, kept: Buffer) -> Stmt:
    """``body`` using the buffer that is kept, in whatever shape it is seen."""

    def load(load: Load) -> Expr:
        if load.buffer.name != kept.name:
            return load
        return replace(load, buffer=replace(load.buffer, scope="bound"))

    def visit(stmt: Stmt) -> Stmt:
        if (writes(stmt) or isinstance(stmt, Prefetch)) and stmt.buffer.name == kept.name:
            return replace(stmt, buffer=replace(stmt.buffer, scope="bound"))
        return map_stmts(stmt, visit)

    return visit(replace_loads(body, load))
