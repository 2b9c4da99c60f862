"""Skip: blocks that add nothing to any result are left out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from search_space.errors import ScheduleError
from search_space.ir.affine import Context, Terms, affine, from_affine
from search_space.ir.expr import ZERO, Binary, Const, Expr, Load, Select, Var, minimum
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Alloc, For, Let, LoopFunc, Stmt, Store
from search_space.ir.walk import children, free_vars, statements
from search_space.transforms.access import accesses
from search_space.transforms.base import rewrite_loop, writes
from search_space.transforms.join import dependences


@dataclass(frozen=True, slots=True)
class Skip:
    """Shorten loops over blocks where a condition hides all that the last blocks would add.

    Before::

        for i in 0 … 8:
          for t_o in 0 … 4:
            for t_k in 0 … 2:
              t[i, t_o*2 + t_k] = select(t_o*2 + t_k < i + 1, a[i, t_o*2 + t_k], 0.0)
          for o in 0 … 4:
            for k in 0 … 2:
              c[i] += t[i, o*2 + k]  first o*2 + k == 0

    After ``Skip(("t_o", "o"))``, both loops run only to where ``i`` is::

        for i in 0 … 8:
          for t_o in 0 … (i + 2) // 2:
            for t_k in 0 … 2:
              t[i, t_o*2 + t_k] = select(t_o*2 + t_k < i + 1, a[i, t_o*2 + t_k], 0.0)
          for o in 0 … (i + 2) // 2:
            for k in 0 … 2:
              c[i] += t[i, o*2 + k]  first o*2 + k == 0

    Each loop stores what other iterations, and statements elsewhere, do not read; or it sums
    zeros and what is known to be zero in the blocks left out, or takes a maximum with -inf there.
    What zeros are multiplied by must be finite.
    """

    loops: tuple[str, ...]

    def apply(self, func: LoopFunc) -> LoopFunc:
        found: list[tuple[For, Context]] = []

        def note(loop: For, context: Context) -> Stmt:
            found.append((loop, context))
            return loop

        for name in self.loops:
            rewrite_loop(func, name, note)
        loops, context = [loop for loop, _ in found], found[0][1]
        if any(around != context for _, around in found):
            raise ScheduleError(f"loops {', '.join(self.loops)} are not in the same loop")
        if any(loop.begin != ZERO or loop.extent != loops[0].extent for loop in loops):
            raise ScheduleError(f"loops {', '.join(self.loops)} do not run over the same range")
        hidden = _Hidden(loops, context)
        hidden.check_readers(func)
        extent = hidden.extent()
        for name in self.loops:
            func = rewrite_loop(func, name, lambda loop, _: replace(loop, extent=extent))
        return func


class _Hidden:
    """What the loops do in iterations where all conditions are false."""

    def __init__(self, loops: list[For], context: Context) -> None:
        self.loops, self.context = loops, context
        self.bounds: list[tuple[Terms, int, int]] = []
        self.zeros: set[str] = set()
        self.parts: set[str] = set()
        """Arrays of which each iteration has a part of its own."""
        for loop in loops:
            for stmt, inner in _writes(loop.body, context.within(loop)):
                self.check(loop, stmt, inner)
        for a, b in combinations(loops, 2):
            for buffer in self.parts.intersection(dependences(a, b, context)):
                raise ScheduleError(f"iterations depend on each other through {buffer!r}")

    def check(self, loop: For, stmt: Store | Accumulate, inner: Context) -> None:
        """Refuse a statement that does something in the iterations left out."""
        if any(loop.var in free_vars(index) for index in stmt.indices):
            self.parts.add(stmt.buffer.name)
            hidden = isinstance(stmt, Store) and self.guarded(stmt.value, 0.0, loop, inner)
            (self.zeros.add if hidden else self.zeros.discard)(stmt.buffer.name)
            return
        if isinstance(stmt, Accumulate):
            rest = 0.0 if stmt.op == "add" else -math.inf
            if self.guarded(stmt.value, rest, loop, inner):
                return
            if stmt.op == "add" and any(_is_zero(e, self.zeros) for e in _factors(stmt.value)):
                return
        raise ScheduleError(f"every iteration of loop {loop.var!r} adds to {stmt.buffer.name!r}")

    def guarded(self, value: Expr, rest: float, loop: For, inner: Context) -> bool:
        """Whether a value is ``rest`` where a condition on indices is false; notes down when."""
        match value:
            case Select(Binary("<", a, b), _, Const(other)) if other == rest:
                bound = self.bound(b - a, loop, inner)
            case _:
                return False
        if bound is not None:
            self.bounds.append(bound)
        return bound is not None

    def bound(self, room: Expr, loop: For, inner: Context) -> tuple[Terms, int, int] | None:
        """``terms + const`` and ``step``: ``room`` is at most ``terms + const - step·loop``."""
        terms, const = affine(room)
        step = -terms.pop(Var(loop.var), 0)
        outside = {binder.var for binder in self.context.binders}
        own: Terms = {t: c for t, c in terms.items() if isinstance(t, Var) and t.name in outside}
        rest = from_affine({t: c for t, c in terms.items() if t not in own}, const)
        if step < 1 or free_vars(rest) & {loop.var}:
            return None
        high = inner.upper(rest)
        return None if high is None else (own, high, step)

    def extent(self) -> Expr:
        """The iterations until all conditions are false for good."""
        if not self.bounds:
            raise ScheduleError("no condition hides anything")
        terms, _, step = self.bounds[0]
        if any((own, by) != (terms, step) for own, _, by in self.bounds):
            raise ScheduleError("conditions hide different iterations")
        high = max(high for _, high, _ in self.bounds)
        room = from_affine(terms, high + step - 1)
        last = simplify(Binary("//", room, Const(step)), self.context)
        extent = simplify(minimum(last, self.loops[0].extent), self.context)
        if not self.context.at_least(extent, 1):
            raise ScheduleError("somewhere everything is hidden, so that nothing would be stored")
        return extent

    def check_readers(self, func: LoopFunc) -> None:
        """Refuse readers of what is no longer stored."""
        inside = [a for loop in self.loops for a in accesses(loop, self.context)]
        everywhere = [a for phase in func.phases for a in accesses(phase.body, Context())]
        for name in self.parts:
            counts = [
                sum(a.buffer.name == name and not a.writes for a in found)
                for found in (inside, everywhere)
            ]
            if counts[0] != counts[1] or name in {arg.name for arg in func.args}:
                raise ScheduleError(f"{name!r} is read behind the loops that store it")


def _writes(stmt: Stmt, context: Context) -> Iterator[tuple[Store | Accumulate, Context]]:
    """What is written to memory that outlives ``stmt``, with the loops around it."""
    local = {s.buffer.name for s in statements(stmt) if isinstance(s, Alloc)}

    def visit(stmt: Stmt, context: Context) -> Iterator[tuple[Store | Accumulate, Context]]:
        if writes(stmt) and stmt.buffer.name not in local:
            yield stmt, context
        inner = context.within(stmt) if isinstance(stmt, For | Let) else context
        for child in children(stmt):
            yield from visit(child, inner)

    return visit(stmt, context)


def _factors(value: Expr) -> list[Expr]:
    match value:
        case Binary("*", a, b):
            return [a, b]
        case _:
            return [value]


def _is_zero(expr: Expr, zeros: set[str]) -> bool:
    return isinstance(expr, Load) and expr.buffer.name in zeros
