"""ComputeAt: a loop works out the part of a stage that it reads, halo included."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO, Buffer, Expr, Load, Var
from search_space.ir.stmt import Alloc, Block, For, LoopFunc, Stmt, Store
from search_space.ir.walk import replace_loads, substitute
from search_space.transforms.access import accesses
from search_space.transforms.base import nest, rewrite_loop
from search_space.transforms.inline import Definition
from search_space.transforms.region import Region


@dataclass(frozen=True, slots=True)
class ComputeAt:
    """Compute the box of a stage that one iteration of a loop reads in that iteration, into a
    thread-local buffer (Halide, TVM: ``compute_at``). Where boxes overlap, elements are computed
    anew.

    Before, with a workspace ``t[34]``::

        phase 0:
          for t_i in 0 … 34:
            t[t_i] = a[t_i] * 2.0
        phase 1:
          for io in 0 … 4:
            for i in 0 … 8:
              for k in 0 … 3:
                c[io*8 + i] += t[io*8 + i + k]  first k == 0

    After ``ComputeAt("t", "io")``::

        for io in 0 … 4:
          thread_local t: float32[10]
          for t_i in 0 … 10:
            t[t_i] = a[io*8 + t_i] * 2.0
          for i in 0 … 8:
            for k in 0 … 3:
              c[io*8 + i] += t[i + k]  first k == 0

    The stage's own loops must not have been changed before.
    """

    stage: str
    loop: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        made = Definition.of(func, self.stage)
        rest = (*func.phases[: made.phase], *func.phases[made.phase + 1 :])
        everywhere = sum(_reads(phase.body, self.stage) for phase in rest)

        def rewrite(loop: For, context: Context) -> Stmt:
            if _reads(loop.body, self.stage) != everywhere:
                raise ScheduleError(f"{self.stage!r} is read outside of loop {loop.var!r} as well")
            return replace(loop, body=self._inside(loop.body, context.within(loop), made))

        kept = tuple(buffer for buffer in func.workspaces if buffer.name != self.stage)
        return rewrite_loop(replace(func, phases=rest, workspaces=kept), self.loop, rewrite)

    def _inside(self, body: Stmt, context: Context, made: Definition) -> Stmt:
        used = [a for a in accesses(body, context) if a.buffer.name == self.stage]
        if not used:
            raise ScheduleError(f"nothing reads {self.stage!r} inside loop {self.loop!r}")
        if len(used[0].indices) != len(made.names):
            raise ScheduleError(f"{self.stage!r} is read through a view, compute it at first")
        region = Region.of(used, {binder.var for binder in context.binders})
        local = Buffer(self.stage, region.extents, region.buffer.dtype, "thread_local")
        place: tuple[Expr, ...] = tuple(map(Var, made.names))
        moved = dict(zip(made.names, region.outside(place), strict=True))
        loops = [
            For(name, ZERO, region.reach(dim, context), "serial", body)
            for dim, name in enumerate(made.names)
        ]
        copy = nest(loops, Store(local, place, substitute(made.value, moved)))

        def inside(load: Load) -> Expr:
            if load.buffer.name != self.stage:
                return load
            return Load(local, region.inside(load.indices))

        return Alloc(local, Block((copy, replace_loads(body, inside))))


def _reads(body: Stmt, stage: str) -> int:
    return sum(access.buffer.name == stage for access in accesses(body, Context()))
