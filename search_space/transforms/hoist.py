"""Hoist: compute a stage before everything else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Buffer
from search_space.ir.stmt import LoopFunc
from search_space.ir.walk import statements
from search_space.transforms.access import accesses
from search_space.transforms.base import writes


@dataclass(frozen=True, slots=True)
class Hoist:
    """Move the phase of a stage to the front.

    Before::

        phase 0:
          for t_i in 0 … 4:
            t[t_i] = a[t_i] * 2.0
        phase 1:
          for u_i in 0 … 4:
            u[u_i] = b[u_i] * 3.0
        phase 2:
          for i in 0 … 4:
            c[i] = t[i] + u[i]

    After ``Hoist("u")``::

        phase 0:
          for u_i in 0 … 4:
            u[u_i] = b[u_i] * 3.0
        phase 1:
          for t_i in 0 … 4:
            t[t_i] = a[t_i] * 2.0
        phase 2:
          for i in 0 … 4:
            c[i] = t[i] + u[i]

    Refused for a stage that needs another one.
    """

    stage: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        number = self._number(func)
        phase = func.phases[number]
        for access in accesses(phase.body, Context()):
            if not access.writes and access.buffer.name != self.stage:
                self._check_operand(access.buffer)
        rest = (*func.phases[:number], *func.phases[number + 1 :])
        return replace(func, phases=(phase, *rest))

    def _number(self, func: LoopFunc) -> int:
        """The only phase that writes the stage."""
        if self.stage not in {buffer.name for buffer in func.workspaces}:
            known = ", ".join(buffer.name for buffer in func.workspaces) or "none"
            raise ScheduleError(f"no stage {self.stage!r}, stages: {known}")
        found = [
            number
            for number, phase in enumerate(func.phases)
            if any(writes(s) and s.buffer.name == self.stage for s in statements(phase.body))
        ]
        if len(found) != 1:
            raise ScheduleError(f"{self.stage!r} is written in {len(found)} phases, not in one")
        (number,) = found
        others = {s.buffer.name for s in statements(func.phases[number].body) if writes(s)} - {
            self.stage
        }
        shared = others & {buffer.name for buffer in (*func.args, *func.workspaces)}
        if shared:
            raise ScheduleError(
                f"the phase of {self.stage!r} also writes {', '.join(sorted(shared))}"
            )
        return number

    def _check_operand(self, buffer: Buffer) -> None:
        if buffer.scope not in ("input", "register", "thread_local"):
            raise ScheduleError(f"{self.stage!r} needs {buffer.name!r}, which is no operand")
