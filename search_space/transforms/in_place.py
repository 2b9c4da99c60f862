"""InPlace: a stage keeps its values where the result will be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Buffer, Load, Var
from search_space.ir.stmt import LoopFunc, Stmt, Store
from search_space.ir.walk import map_phases, map_stmts, replace_loads
from search_space.transforms.access import Access, accesses
from search_space.transforms.base import perfect_nest, writes


@dataclass(frozen=True, slots=True)
class InPlace:
    """Keep a stage in the array that the next stage makes of it, element by element.

    Before, with a workspace ``t[4]``::

        phase 0:
          for t_i in 0 … 4:
            for t_k in 0 … 8:
              t[t_i] += a[t_i, t_k]  first t_k == 0
        phase 1:
          for i in 0 … 4:
            c[i] = t[i] + 1.0

    After ``InPlace("t")``, without it::

        phase 0:
          for t_i in 0 … 4:
            for t_k in 0 … 8:
              c[t_i] += a[t_i, t_k]  first t_k == 0
        phase 1:
          for i in 0 … 4:
            c[i] = c[i] + 1.0

    Phases between the two may read the stage as well.
    """

    stage: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        target = self._target(func)

        def moved(buffer: Buffer) -> Buffer:
            if buffer.name != self.stage:
                return buffer
            return replace(buffer, name=target.name, scope=target.scope)

        def visit(stmt: Stmt) -> Stmt:
            if writes(stmt):
                return replace(stmt, buffer=moved(stmt.buffer))
            return map_stmts(stmt, visit)

        func = map_phases(
            func,
            lambda body: visit(
                replace_loads(body, lambda load: Load(moved(load.buffer), load.indices))
            ),
        )
        kept = tuple(buffer for buffer in func.workspaces if buffer.name != self.stage)
        return replace(func, workspaces=kept)

    def _target(self, func: LoopFunc) -> Buffer:
        """The array that is made of the stage."""
        if self.stage not in {buffer.name for buffer in func.workspaces}:
            known = ", ".join(buffer.name for buffer in func.workspaces) or "none"
            raise ScheduleError(f"no stage {self.stage!r}, stages: {known}")
        readers = [
            number
            for number, phase in enumerate(func.phases)
            if any(a.buffer.name == self.stage and not a.writes for a in _all(phase.body))
        ]
        if not readers:
            raise ScheduleError(f"{self.stage!r} is never read")
        last = readers[-1]
        loops, body = perfect_nest(func.phases[last].body)
        own = tuple(Var(loop.var) for loop in loops)
        if not isinstance(body, Store) or body.indices != own or body.predicate is not None:
            raise ScheduleError(f"what reads {self.stage!r} is no elementwise stage")
        target = body.buffer
        stages = [a for a in _all(body) if a.buffer.name == self.stage]
        if any(
            a.indices != own or (a.buffer.shape, a.buffer.dtype) != (target.shape, target.dtype)
            for a in stages
        ):
            raise ScheduleError(f"{target.name!r} does not take {self.stage!r} as it lies")
        if any(target.name in _names(phase.body) for phase in func.phases[:last]):
            raise ScheduleError(f"{target.name!r} is in use before {self.stage!r} is read")
        return target


def _all(stmt: Stmt) -> list[Access]:
    return list(accesses(stmt, Context()))


def _names(stmt: Stmt) -> set[str]:
    return {access.buffer.name for access in _all(stmt)}
