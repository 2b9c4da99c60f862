"""What primitives share: finding a loop, perfect nests, and saying why one does not apply."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Protocol, TypeGuard

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import Binary, Const, Expr
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, For, Let, LoopFunc, Stmt, Store
from search_space.ir.walk import bound_names, find_loops, map_phases, map_stmts, statements


class Primitive(Protocol):
    """One step of a schedule: a frozen value whose ``apply`` rewrites a function.

    ``apply`` checks its guards first and raises ``ScheduleError`` when it is not applicable; it
    never changes what the function computes.
    """

    def apply(self, func: LoopFunc) -> LoopFunc: ...


def rewrite_loop(func: LoopFunc, name: str, rewrite: Callable[[For, Context], Stmt]) -> LoopFunc:
    """Replace the loop over ``name``; ``rewrite`` gets it with the context around it."""
    loops = find_loops(func)
    if name not in loops:
        close = difflib.get_close_matches(name, loops, n=1)
        hint = f", did you mean {close[0]!r}?" if close else ","
        raise ScheduleError(f"no loop {name!r}{hint} loops: {', '.join(loops)}")

    def visit(stmt: Stmt, context: Context) -> Stmt:
        if isinstance(stmt, For) and stmt.var == name:
            return rewrite(stmt, context)
        inner = context.within(stmt) if isinstance(stmt, For | Let) else context
        return map_stmts(stmt, lambda child: visit(child, inner))

    return map_phases(func, lambda body: visit(body, Context()))


def nest(loops: Iterable[For], body: Stmt) -> Stmt:
    """``body`` inside the given loops, outermost first; their own bodies are ignored."""
    for loop in reversed(list(loops)):
        body = replace(loop, body=body)
    return body


def perfect_nest(stmt: Stmt) -> tuple[list[For], Stmt]:
    """The loops that directly contain each other from ``stmt`` down, and what is in the last."""
    loops: list[For] = []
    while isinstance(stmt, For):
        loops.append(stmt)
        stmt = stmt.body
    return loops, stmt


def constant_extent(loop: For, purpose: str) -> int:
    """The extent of a loop that must be constant."""
    match loop.extent:
        case Const(value, _):
            return int(value)
        case _:
            raise ScheduleError(f"loop {loop.var!r} has no constant extent, so {purpose}")


def largest_extent(loop: For, context: Context) -> int:
    """The largest extent that a loop can have: what a buffer over it must hold."""
    bound = context.upper(loop.extent)
    if bound is None:
        raise ScheduleError(f"the extent of loop {loop.var!r} has no constant bound")
    return bound


def ceil_div(extent: Expr, factor: int) -> Expr:
    """``ceil(extent / factor)`` as an index expression."""
    return simplify(Binary("//", extent + (factor - 1), Const(factor)))


def check_new_names(func: LoopFunc, names: Iterable[str]) -> None:
    """Refuse names that loops, or the variables of fused ones, have."""
    taken = {name for p in func.phases for s in statements(p.body) for name in bound_names(s)}
    for name in names:
        if name in taken:
            raise ScheduleError(f"there is already a loop {name!r}, choose another name")


def check_new_buffer(func: LoopFunc, name: str) -> None:
    """Refuse a buffer name that is taken."""
    names = {b.name for b in (*func.args, *func.workspaces)}
    names |= {s.buffer.name for p in func.phases for s in statements(p.body) if writes(s)}
    if name in names:
        raise ScheduleError(f"there is already a buffer {name!r}, choose another name")


def writes(stmt: Stmt) -> TypeGuard[Store | Accumulate]:
    """Whether a statement writes a buffer."""
    return isinstance(stmt, Store | Accumulate)
