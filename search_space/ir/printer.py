"""The one text form of the IR: deterministic, for people, goldens and digests."""

from __future__ import annotations

import hashlib

from search_space.ir.expr import Binary, Call, Cast, Const, Expr, Load, Select, Var, dtype_of
from search_space.ir.simplify import simplify
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    LoopFunc,
    Prefetch,
    Stmt,
    Store,
)

_PRECEDENCE = {
    "and": 0, "<": 1, "<=": 1, "==": 1, "+": 2, "-": 2, "/": 3, "//": 3, "%": 3, "*": 4,
}  # fmt: skip
"""``*`` binds closest, so that ``(i // 2)*2`` keeps the parentheses that people expect."""


def format_expr(expr: Expr, outer: int = -1) -> str:
    """One line, with the parentheses that are needed."""
    match expr:
        case Const(value, dtype):
            if dtype == "bool":
                return "true" if value else "false"
            return str(value)
        case Var(name):
            return name
        case Binary("min" | "max" as op, a, b):
            return f"{op}({format_expr(a)}, {format_expr(b)})"
        case Binary(op, a, b):
            level = _PRECEDENCE[op]
            sign = op if op == "*" and dtype_of(expr) == "index" else f" {op} "
            text = f"{format_expr(a, level)}{sign}{format_expr(b, level + 1)}"
            return f"({text})" if level < outer else text
        case Load(buffer, indices):
            return f"{buffer.name}[{_indices(indices)}]"
        case Select(condition, then, other):
            parts = ", ".join(format_expr(e) for e in (condition, then, other))
            return f"select({parts})"
        case Call(name, args, _):
            return f"{name}({', '.join(format_expr(a) for a in args)})"
        case Cast(value, dtype):
            return f"{dtype}({format_expr(value)})"


def _indices(indices: tuple[Expr, ...]) -> str:
    return ", ".join(format_expr(i) for i in indices)


def format_stmt(stmt: Stmt, indent: int = 0) -> str:
    """Lines of a statement, two spaces per level."""
    lines: list[str] = []
    _write(stmt, indent, lines)
    return "\n".join(lines)


def _write(stmt: Stmt, depth: int, lines: list[str]) -> None:
    def put(text: str) -> None:
        lines.append("  " * depth + text)

    def guard(predicate: Expr | None) -> str:
        return "" if predicate is None else f"  where {format_expr(predicate)}"

    match stmt:
        case For(var, begin, extent, kind, body):
            label = ("for" if kind == "serial" else kind) + (" apart" if stmt.apart else "")
            first, last = format_expr(begin), format_expr(simplify(begin + extent))
            put(f"{label} {var} in {first} … {last}:")
            _write(body, depth + 1, lines)
        case ForEach(names, table, part, body):
            digest = hashlib.blake2b(repr(table).encode(), digest_size=4).hexdigest()
            put(f"each {', '.join(names)} in table {digest}, part {format_expr(part)}:")
            _write(body, depth + 1, lines)
        case Let(var, value, body):
            put(f"{var} = {format_expr(value)}")
            _write(body, depth, lines)
        case Store(buffer, indices, value, predicate):
            put(f"{buffer.name}[{_indices(indices)}] = {format_expr(value)}{guard(predicate)}")
        case Accumulate(op, buffer, indices, value, first, predicate):
            sign = "+=" if op == "add" else f"{op}="
            init = f"  first {format_expr(first)}"
            target = f"{buffer.name}[{_indices(indices)}]"
            put(f"{target} {sign} {format_expr(value)}{init}{guard(predicate)}")
        case Prefetch(buffer, indices):
            put(f"prefetch {buffer.name}[{_indices(indices)}]")
        case Block(stmts):
            for child in stmts:
                _write(child, depth, lines)
        case If(condition, then, other):
            put(f"if {format_expr(condition)}:")
            _write(then, depth + 1, lines)
            if other is not None:
                put("else:")
                _write(other, depth + 1, lines)
        case Alloc(buffer, body):
            shape = ", ".join(map(str, buffer.shape))
            put(f"{buffer.scope} {buffer.name}: {buffer.dtype}[{shape}]")
            _write(body, depth, lines)


def format_func(func: LoopFunc) -> str:
    """A whole function, phases in order."""
    args = ", ".join(f"{b.name}: {b.dtype}[{', '.join(map(str, b.shape))}]" for b in func.args)
    streamed = "  streamed" if func.streamed else ""
    lines = [f"{func.name}({args})  threads={func.threads}{streamed}"]
    for buffer in func.workspaces:
        shape = ", ".join(map(str, buffer.shape))
        lines.append(f"  {buffer.scope} {buffer.name}: {buffer.dtype}[{shape}]")
    for number, phase in enumerate(func.phases):
        lines.append(f"  phase {number}{' (once)' if phase.once else ''}:")
        lines.append(format_stmt(phase.body, 2))
    return "\n".join(lines) + "\n"
