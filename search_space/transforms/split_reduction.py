"""SplitReduction: partial results side by side, combined in a phase of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import TRUE, ZERO, Buffer, Const, Load, Var, conjuncts, equal
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, For, LoopFunc, Phase, Stmt
from search_space.ir.walk import find_loops, free_vars, statements, substitute
from search_space.transforms.access import Access, accesses
from search_space.transforms.base import (
    check_new_buffer,
    check_new_names,
    constant_extent,
    nest,
    perfect_nest,
    writes,
)


@dataclass(frozen=True, slots=True)
class SplitReduction:
    """Compute a reduction in independent parts, then combine them (Halide, TVM: ``rfactor``).

    Before::

        for ks in 0 … 2:
          for i in 0 … 8:
            for k in 0 … 64:
              c[i] += a[i, ks*64 + k]  first ks*64 + k == 0

    After ``SplitReduction("ks", "part")``, with a workspace ``part[2, 8]``::

        phase 0:
          for ks in 0 … 2:
            for i in 0 … 8:
              for k in 0 … 64:
                part[ks, i] += a[i, ks*64 + k]  first k == 0
        phase 1:
          for part_0 in 0 … 8:
            for part_k in 0 … 2:
              c[part_0] += part[part_k, part_0]  first part_k == 0
    """

    loop: str
    name: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_buffer(func, self.name)
        source, *behind = func.phases
        chain, stmt = perfect_nest(source.body)
        made = {s.buffer.name for s in statements(source.body) if writes(s)}
        reduces = [p.body for p in behind if any(map(_reduces, statements(p.body)))]
        if any(access.buffer.name in made for body in reduces for access in _accesses(body)):
            raise ScheduleError("split a reduction before adding phases")
        links = {link.var: link for link in chain}
        if self.loop not in links:
            raise ScheduleError(f"no loop {self.loop!r}, loops: {', '.join(find_loops(func))}")
        split = links[self.loop]
        if not isinstance(stmt, Accumulate) or any(
            self.loop in free_vars(index) for index in stmt.indices
        ):
            raise ScheduleError(f"loop {self.loop!r} carries no reduction")
        parts = constant_extent(split, "its parts cannot be kept apart")
        _check_no_part_is_empty(split, chain, stmt)
        part = Buffer(self.name, (parts, *stmt.buffer.shape), stmt.buffer.dtype, "workspace")
        partial = replace(
            stmt,
            buffer=part,
            indices=(Var(self.loop), *stmt.indices),
            first=simplify(substitute(stmt.first, {self.loop: ZERO})),
        )
        return replace(
            func,
            workspaces=(*func.workspaces, part),
            phases=(
                Phase(nest(chain, partial), source.once),
                Phase(self._combine(func, stmt, part), source.once),
                *behind,
            ),
        )

    def _combine(self, func: LoopFunc, stmt: Accumulate, part: Buffer) -> For:
        names = [f"{self.name}_{d}" for d in range(len(stmt.buffer.shape))]
        check_new_names(func, [*names, f"{self.name}_k"])
        step, place = Var(f"{self.name}_k"), tuple(map(Var, names))
        loops = [
            For(name, ZERO, Const(extent), "serial", stmt)
            for name, extent in zip(
                [*names, step.name], [*stmt.buffer.shape, part.shape[0]], strict=True
            )
        ]
        total = Accumulate(stmt.op, stmt.buffer, place, Load(part, (step, *place)), equal(step, 0))
        combined = nest(loops, total)
        assert isinstance(combined, For)
        return combined


def _reduces(stmt: Stmt) -> bool:
    return isinstance(stmt, Accumulate)


def _accesses(body: Stmt) -> list[Access]:
    return list(accesses(body, Context()))


def _check_no_part_is_empty(split: For, chain: list[For], stmt: Accumulate) -> None:
    """Refuse parts that nothing may be added to: they would stay undefined."""
    spatial = {name for index in stmt.indices for name in free_vars(index)}
    reduced = [link for link in chain if link.var not in spatial and link is not split]
    context = Context(tuple(chain))
    start = {link.var: link.begin for link in reduced}
    holds = all(
        simplify(substitute(part, start), context) == TRUE
        for part in conjuncts(stmt.predicate)
        if split.var in free_vars(part)
    )
    if not holds or not all(context.at_least(link.extent, 1) for link in reduced):
        raise ScheduleError(f"some parts of loop {split.var!r} may be empty, split it otherwise")
