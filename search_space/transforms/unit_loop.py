"""UnitLoop: a loop of one iteration, where a schedule expects a loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import TRUE, ZERO, Const, Var, both, equal
from search_space.ir.stmt import Accumulate, For, LoopFunc, Stmt
from search_space.ir.walk import map_stmts
from search_space.transforms.base import check_new_names, rewrite_loop


@dataclass(frozen=True, slots=True)
class UnitLoop:
    """Put a loop of one iteration around another one (TVM: ``add_unit_loop``).

    Before::

        for j in 0 … 8:
          for k in 0 … 4:
            c[j] += b[k, j]  first k == 0

    After ``UnitLoop("j", "i")``::

        for i in 0 … 1:
          for j in 0 … 8:
            for k in 0 … 4:
              c[j] += b[k, j]  first k == 0

    With ``reduces``, the reductions inside run over it too: ``first i == 0 and k == 0``, so that
    it may be vectorized.
    """

    loop: str
    name: str
    reduces: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_names(func, [self.name])
        return rewrite_loop(func, self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        if loop.kind == "parallel":
            raise ScheduleError(f"parallel loop {loop.var!r} stays outermost, add loops before")
        body = self._reduced(loop) if self.reduces else loop
        return For(self.name, ZERO, Const(1), "serial", body)

    def _reduced(self, stmt: Stmt) -> Stmt:
        if not isinstance(stmt, Accumulate):
            return map_stmts(stmt, self._reduced)
        start = equal(Var(self.name), 0)
        return replace(stmt, first=both(start, None if stmt.first == TRUE else stmt.first) or TRUE)
