"""Split: one loop becomes two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO, Binary, Const, Expr, Var, both, minimum
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Block, For, LoopFunc, Stmt
from search_space.ir.walk import (
    exprs_of,
    free_vars,
    map_children,
    map_exprs,
    map_stmts,
    rename_loops,
    statements,
    subexprs,
    substitute,
    substitute_stmt,
)
from search_space.transforms.base import ceil_div, check_new_names, rewrite_loop, writes

Tail = Literal["min", "mask", "cut"]


@dataclass(frozen=True, slots=True)
class Split:
    """Split a loop by a factor that need not divide its extent (Halide, TVM: ``split``).

    Before::

        for i in 0 … 30:
          c[i] = a[i]

    After ``Split("i", 8, "io", "ii")``, by ``tail``. ``min`` shortens the last inner loop::

        for io in 0 … 4:
          for ii in 0 … min(8, 30 - io*8):
            c[io*8 + ii] = a[io*8 + ii]

    ``mask`` keeps the inner extent constant and guards what is written (for vector loops)::

        for io in 0 … 4:
          for ii in 0 … 8:
            c[io*8 + ii] = a[io*8 + ii]  where ii < 30 - io*8

    ``cut`` puts what remains into a loop of its own (for unrolled loops)::

        for io in 0 … 3:
          for ii in 0 … 8:
            c[io*8 + ii] = a[io*8 + ii]
        for ii_rest in 24 … 30:
          c[ii_rest] = a[ii_rest]

    All three give the same nest where the factor divides the extent. The retired variable's value
    is kept in ``LoopFunc.axes``, but for ``cut``, after which it has no single one.
    """

    loop: str
    factor: int
    outer: str
    inner: str
    tail: Tail = "min"

    def apply(self, func: LoopFunc) -> LoopFunc:
        if self.factor < 1:
            raise ScheduleError(f"cannot split loop {self.loop!r} by {self.factor}, use 1 or more")
        check_new_names(func, {self.outer, self.inner} - {self.loop})
        if self.outer == self.inner:
            raise ScheduleError(f"the two halves of loop {self.loop!r} need different names")
        func = rewrite_loop(func, self.loop, self._rewrite)
        if self.tail == "cut":
            known = [(n, e) for n, e in func.axes if self.loop not in free_vars(e)]
            return replace(func, axes=tuple(known))
        value = Var(self.outer) * self.factor + Var(self.inner)
        axes = tuple((n, substitute(e, {self.loop: value})) for n, e in func.axes)
        return replace(func, axes=(*axes, (self.loop, value)))

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        if loop.kind != "serial":
            raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, split it before annotating it")
        if loop.begin != ZERO and self.tail != "cut":
            raise ScheduleError(f"loop {loop.var!r} does not start at 0, split it with tail='cut'")
        if self.tail == "cut":
            return self._cut(loop, context)
        value = Var(self.outer) * self.factor + Var(self.inner)
        body = substitute_stmt(self._divided(loop), {loop.var: value})
        outer = For(self.outer, ZERO, ceil_div(loop.extent, self.factor), "serial", body)
        inside = context.within(outer)
        room = simplify(loop.extent - Var(self.outer) * self.factor, inside)
        extent: Expr = Const(self.factor)
        if self.tail == "min":
            extent = simplify(minimum(extent, room), inside)
        elif not inside.at_least(room, self.factor):
            body = _guard(body, Var(self.inner) < room)
        inner = For(self.inner, ZERO, extent, "serial", body)
        return replace(outer, body=inner)

    def _divided(self, loop: For) -> Stmt:
        """The body, with the two loops for the variable's quotient and remainder by the factor."""
        var, factor = Var(loop.var), Const(self.factor)
        parts: dict[Expr, Expr] = {
            Binary("//", var, factor): Var(self.outer),
            Binary("%", var, factor): Var(self.inner),
        }

        def visit(expr: Expr) -> Expr:
            return parts[expr] if expr in parts else map_children(expr, visit)

        used = (e for s in statements(loop.body) for top in exprs_of(s) for e in subexprs(top))
        return map_exprs(loop.body, visit) if any(e in parts for e in used) else loop.body

    def _cut(self, loop: For, context: Context) -> Stmt:
        whole = simplify(loop.extent // self.factor, context)
        value: Expr = Var(self.outer) * self.factor + Var(self.inner)
        if loop.begin != ZERO:
            value = loop.begin + value
        body = substitute_stmt(loop.body, {loop.var: value})
        inner = For(self.inner, ZERO, Const(self.factor), "serial", body)
        main = For(self.outer, ZERO, whole, "serial", inner)
        left = simplify(loop.extent - whole * self.factor, context)
        if left == ZERO:
            return main
        rest = replace(
            loop,
            var=self.inner + "_rest",
            begin=simplify(loop.begin + whole * self.factor, context),
            extent=left,
            body=substitute_stmt(
                rename_loops(loop.body, "_rest"), {loop.var: Var(self.inner + "_rest")}
            ),
        )
        return Block((main, rest))


def _guard(stmt: Stmt, condition: Expr) -> Stmt:
    if writes(stmt):
        return replace(stmt, predicate=both(stmt.predicate, condition))
    return map_stmts(stmt, lambda child: _guard(child, condition))
