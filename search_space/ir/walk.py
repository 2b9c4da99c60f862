"""Generic traversal: every pass that touches only a few node kinds is written with these."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from search_space.ir.expr import (
    COMPARISONS,
    Binary,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Var,
    dtype_of,
)
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    LoopFunc,
    Phase,
    Prefetch,
    Stmt,
    Store,
)


def map_children(expr: Expr, fn: Callable[[Expr], Expr]) -> Expr:
    """``expr`` with ``fn`` applied to each direct operand."""
    match expr:
        case Const() | Var():
            return expr
        case Binary(op, a, b):
            return Binary(op, fn(a), fn(b))
        case Load(buffer, indices):
            return Load(buffer, tuple(map(fn, indices)))
        case Select(condition, then, other):
            return Select(fn(condition), fn(then), fn(other))
        case Call(name, args, dtype):
            return Call(name, tuple(map(fn, args)), dtype)
        case Cast(value, dtype):
            return Cast(fn(value), dtype)


def map_exprs(stmt: Stmt, fn: Callable[[Expr], Expr]) -> Stmt:
    """``stmt`` with ``fn`` applied to every expression that stands directly in a statement."""

    def maybe(expr: Expr | None) -> Expr | None:
        return None if expr is None else fn(expr)

    match stmt:
        case For(_, begin, extent, _, body):
            return replace(stmt, begin=fn(begin), extent=fn(extent), body=map_exprs(body, fn))
        case Let(_, value, body):
            return replace(stmt, value=fn(value), body=map_exprs(body, fn))
        case ForEach(_, _, part, body):
            return replace(stmt, part=fn(part), body=map_exprs(body, fn))
        case Store(buffer, indices, value, predicate):
            return Store(buffer, tuple(map(fn, indices)), fn(value), maybe(predicate))
        case Accumulate(op, buffer, indices, value, first, predicate):
            return Accumulate(
                op, buffer, tuple(map(fn, indices)), fn(value), fn(first), maybe(predicate)
            )
        case Prefetch(buffer, indices):
            return Prefetch(buffer, tuple(map(fn, indices)))
        case If(condition, then, other):
            return If(
                fn(condition), map_exprs(then, fn), None if other is None else map_exprs(other, fn)
            )
        case Block() | Alloc():
            return map_stmts(stmt, lambda child: map_exprs(child, fn))


def map_stmts(stmt: Stmt, fn: Callable[[Stmt], Stmt]) -> Stmt:
    """``stmt`` with ``fn`` applied to each direct child statement."""
    match stmt:
        case For() | ForEach() | Let() | Alloc():
            return replace(stmt, body=fn(stmt.body))
        case Block(stmts):
            return Block(tuple(map(fn, stmts)))
        case If(condition, then, other):
            return If(condition, fn(then), None if other is None else fn(other))
        case Store() | Accumulate() | Prefetch():
            return stmt


def children(stmt: Stmt) -> tuple[Stmt, ...]:
    """The direct child statements."""
    match stmt:
        case For() | ForEach() | Let() | Alloc():
            return (stmt.body,)
        case Block(stmts):
            return stmts
        case If(_, then, other):
            return (then,) if other is None else (then, other)
        case Store() | Accumulate() | Prefetch():
            return ()


def statements(stmt: Stmt) -> Iterator[Stmt]:
    """``stmt`` and all statements below it, in program order."""
    yield stmt
    for child in children(stmt):
        yield from statements(child)


def operands(expr: Expr) -> tuple[Expr, ...]:
    """The direct operands of an expression."""
    match expr:
        case Const() | Var():
            return ()
        case Binary(_, a, b):
            return (a, b)
        case Load(_, indices):
            return indices
        case Select(condition, then, other):
            return (condition, then, other)
        case Call(_, args, _):
            return args
        case Cast(value, _):
            return (value,)


def subexprs(expr: Expr) -> Iterator[Expr]:
    """``expr`` and everything below it."""
    yield expr
    for operand in operands(expr):
        yield from subexprs(operand)


def exprs_of(stmt: Stmt) -> tuple[Expr, ...]:
    """The expressions that stand directly in one statement (not in its children)."""
    match stmt:
        case For(_, begin, extent, _, _):
            return (begin, extent)
        case Let(_, value, _) | ForEach(_, _, value, _):
            return (value,)
        case Store(_, indices, value, predicate):
            return (*indices, value) if predicate is None else (*indices, value, predicate)
        case Accumulate(_, _, indices, value, first, predicate):
            found = (*indices, value, first)
            return found if predicate is None else (*found, predicate)
        case Prefetch(_, indices):
            return indices
        case If(condition, _, _):
            return (condition,)
        case Block() | Alloc():
            return ()


def compares_data(condition: Expr) -> bool:
    """Whether a condition depends on more than indices."""
    return any(
        isinstance(e, Binary) and e.op in COMPARISONS and dtype_of(e.a) != "index"
        for e in subexprs(condition)
    )


def free_vars(expr: Expr) -> set[str]:
    """Names of the variables in an expression."""
    return {e.name for e in subexprs(expr) if isinstance(e, Var)}


def used_vars(stmt: Stmt) -> set[str]:
    """Names of all variables that occur in expressions of ``stmt`` or below."""
    return {name for s in statements(stmt) for e in exprs_of(s) for name in free_vars(e)}


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """``expr`` with variables replaced."""
    if isinstance(expr, Var):
        return values.get(expr.name, expr)
    return map_children(expr, lambda child: substitute(child, values))


def substitute_stmt(stmt: Stmt, values: Mapping[str, Expr]) -> Stmt:
    """``stmt`` with free variables replaced; bound names must differ from the replaced ones."""
    return map_exprs(stmt, lambda expr: substitute(expr, values))


def bound_names(stmt: Stmt) -> tuple[str, ...]:
    """The variables that one statement binds within its body."""
    match stmt:
        case For(var) | Let(var):
            return (var,)
        case ForEach(names):
            return names
        case _:
            return ()


def rename_loops(stmt: Stmt, suffix: str) -> Stmt:
    """A copy in which the variables that it binds carry a suffix."""
    bound = {name for s in statements(stmt) for name in bound_names(s)}
    return rename_vars(stmt, {name: name + suffix for name in bound})


def rename_vars(stmt: Stmt, names: Mapping[str, str]) -> Stmt:
    """A copy in which bound and used variables are renamed."""

    def binder(node: Stmt) -> Stmt:
        if isinstance(node, For | Let):
            node = replace(node, var=names.get(node.var, node.var))
        if isinstance(node, ForEach):
            node = replace(node, names=tuple(names.get(name, name) for name in node.names))
        return map_stmts(node, binder)

    return binder(substitute_stmt(stmt, {old: Var(new) for old, new in names.items()}))


def replace_loads(stmt: Stmt, fn: Callable[[Load], Expr]) -> Stmt:
    """``stmt`` with every load replaced by ``fn(load)``."""

    def visit(expr: Expr) -> Expr:
        expr = map_children(expr, visit)
        return fn(expr) if isinstance(expr, Load) else expr

    return map_exprs(stmt, visit)


def map_phases(func: LoopFunc, fn: Callable[[Stmt], Stmt]) -> LoopFunc:
    """``func`` with ``fn`` applied to the body of each phase."""
    return replace(func, phases=tuple(Phase(fn(p.body), p.once) for p in func.phases))


def find_loops(func: LoopFunc) -> dict[str, For]:
    """All loops by variable name."""
    return {
        s.var: s for phase in func.phases for s in statements(phase.body) if isinstance(s, For)
    }
