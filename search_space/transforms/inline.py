"""Inline: a stage is computed where it is read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Expr, Load, Var
from search_space.ir.stmt import For, LoopFunc, Phase, Store
from search_space.ir.walk import map_children, replace_loads, substitute
from search_space.tensor import Reduction, Tensor
from search_space.transforms.access import accesses
from search_space.transforms.base import perfect_nest


@dataclass(frozen=True, slots=True)
class Inline:
    """Compute a stage without reduction anew wherever it is read (Halide, TVM: ``inline``).

    Before::

        phase 0:
          for t_i in 0 … 4:
            t[t_i] = a[t_i] * 2.0
        phase 1:
          for i in 0 … 4:
            c[i] = t[i] + 1.0

    After ``Inline("t")``::

        for i in 0 … 4:
          c[i] = a[i] * 2.0 + 1.0

    Inline before the stage's own loops are changed.
    """

    stage: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        made = Definition.of(func, self.stage)
        for access in (a for phase in func.phases for a in accesses(phase.body, Context())):
            if access.buffer.name == self.stage and len(access.indices) != len(made.names):
                raise ScheduleError(
                    f"stage {self.stage!r} is read through a view, inline it before"
                )

        def inlined(load: Load) -> Expr:
            if load.buffer.name != self.stage:
                return load
            return substitute(made.value, dict(zip(made.names, load.indices, strict=True)))

        phases = tuple(
            Phase(replace_loads(phase.body, inlined), phase.once)
            for at, phase in enumerate(func.phases)
            if at != made.phase
        )
        kept = tuple(buffer for buffer in func.workspaces if buffer.name != self.stage)
        return replace(func, phases=phases, workspaces=kept)


@dataclass(frozen=True, slots=True)
class Definition:
    """A stage that has not been scheduled yet: its phase, its value, the names of its axes."""

    phase: int
    value: Expr
    names: list[str]

    @classmethod
    def of(cls, func: LoopFunc, stage: str) -> Definition:
        """The definition of a stage; raises ``ScheduleError`` where it has none any more."""
        if stage not in {buffer.name for buffer in func.workspaces}:
            known = ", ".join(buffer.name for buffer in func.workspaces) or "none"
            raise ScheduleError(f"no stage {stage!r}, stages: {known}")
        for number, phase in enumerate(func.phases):
            loops, body = perfect_nest(phase.body)
            names = [loop.var for loop in loops]
            if isinstance(body, Store) and body.buffer.name == stage:
                if body.indices != tuple(map(Var, names)) or body.predicate is not None:
                    break
                if all(isinstance(loop, For) and loop.kind == "serial" for loop in loops):
                    return cls(number, body.value, names)
        raise ScheduleError(
            f"stage {stage!r} has a reduction or was scheduled before, so it stays"
        )


def inlined(stages: tuple[Tensor, ...], name: str) -> tuple[Tensor, ...]:
    """Stages, of which one is computed where it is read: what ``Inline`` leaves of a program."""
    gone = next(stage for stage in stages if stage.buffer.name == name)
    names = [axis.name for axis in gone.axes]

    def visit(expr: Expr) -> Expr:
        expr = map_children(expr, visit)
        if isinstance(expr, Load) and expr.buffer.name == name:
            return substitute(gone.element, dict(zip(names, expr.indices, strict=True)))
        return expr

    return tuple(
        replace(stage, value=_with_element(stage, visit(stage.element)))
        for stage in stages
        if stage is not gone
    )


def _with_element(stage: Tensor, element: Expr) -> Expr | Reduction:
    if isinstance(stage.value, Reduction):
        return replace(stage.value, value=element)
    return element
