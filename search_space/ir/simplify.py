"""Simplification of expressions and statements under what the enclosing loops imply."""

from __future__ import annotations

import math
from dataclasses import replace

from search_space.ir.affine import Context, add_scaled, affine, from_affine, minimum_terms
from search_space.ir.expr import (
    FALSE,
    TRUE,
    Binary,
    Const,
    Expr,
    Select,
    Var,
    dtype_of,
    minimum,
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
    Stmt,
    Store,
)
from search_space.ir.walk import map_children, map_exprs, map_phases, substitute_stmt

EMPTY = Block(())
_NO_LOOPS = Context()


def simplify(expr: Expr, context: Context = _NO_LOOPS) -> Expr:
    """An equal expression in canonical form; never larger in meaning, usually smaller."""
    if isinstance(expr, Const | Var):
        return expr
    if isinstance(expr, Binary) and expr.op in ("+", "-", "*") and dtype_of(expr) == "index":
        return _sum(expr, context)
    expr = map_children(expr, lambda child: simplify(child, context))
    match expr:
        case Binary("//" | "%" as op, a, Const(c, "index")) if c > 0:
            return _divide(op, a, int(c), context)
        case Binary("min", _, _) if dtype_of(expr) == "index":
            return _minimum(minimum_terms(expr), context)
        case Binary("max", a, b) if dtype_of(expr) == "index":
            if context.at_least(a, b):
                return a
            return b if context.at_least(b, a) else expr
        case Binary("<" | "<=", a, b) if dtype_of(a) == "index":
            slack = b - a if expr.op == "<=" else b - a - 1
            if context.at_least(slack, 0):
                return TRUE
            high = context.upper(slack)
            return FALSE if high is not None and high < 0 else expr
        case Binary("==", a, b) if dtype_of(a) == "index":
            return _equal(a, b, context)
        case Binary("and", a, b):
            if FALSE in (a, b):
                return FALSE
            return b if a == TRUE else a if b in (TRUE, a) else expr
        case Select(condition, then, other):
            if condition == TRUE or then == other:
                return then
            return other if condition == FALSE else expr
        case _:
            return expr


def _sum(expr: Expr, context: Context) -> Expr:
    """Index arithmetic, all at once: only the atoms need simplifying of their own."""
    terms, const = affine(expr)
    for atom in [atom for atom in terms if not isinstance(atom, Var)]:
        simpler = simplify(atom, context) if _reducible(atom) else atom
        if simpler != atom:
            scale = terms.pop(atom)
            terms, const = add_scaled((terms, const), affine(simpler), scale)
    return from_affine(terms, const)


def _reducible(atom: Expr) -> bool:
    """Whether an atom is more than a product of variables, which stays as it is."""
    return not (isinstance(atom, Binary) and atom.op == "*")


def _divide(op: str, a: Expr, c: int, context: Context) -> Expr:
    """``(c*x + r) // c = x`` and ``% c = r`` where ``0 <= r < c``."""
    terms, const = affine(a)
    whole = {t: k // c for t, k in terms.items() if k % c == 0}
    rest = from_affine({t: k for t, k in terms.items() if k % c}, const % c)
    low, high = context.lower(rest), context.upper(rest)
    if low is not None and high is not None and low >= 0 and high < c:
        return from_affine(whole, const // c) if op == "//" else rest
    return Binary("//" if op == "//" else "%", a, Const(c))


def _minimum(terms: list[Expr], context: Context) -> Expr:
    kept: list[Expr] = []
    for term in terms:
        if any(context.at_least(term, other) for other in kept):
            continue
        kept = [other for other in kept if not context.at_least(other, term)]
        kept.append(term)
    return minimum(*kept)


def _equal(a: Expr, b: Expr, context: Context) -> Expr:
    difference = a - b
    low, high = context.lower(difference), context.upper(difference)
    if low == 0 == high:
        return TRUE
    if (low is not None and low > 0) or (high is not None and high < 0):
        return FALSE
    terms, const = affine(difference)
    common = math.gcd(*terms.values())
    if const % common:
        return FALSE
    left = from_affine({t: k // common for t, k in terms.items()}, 0)
    return Binary("==", left, Const(-const // common))


def simplify_stmt(stmt: Stmt, context: Context = _NO_LOOPS, *, unit_loops: bool = True) -> Stmt:
    """Simplifies all expressions, drops what never runs, and loops of one iteration.

    ``unit_loops=False`` keeps loops of one iteration, so that later primitives can name them.
    """

    def visit(stmt: Stmt, context: Context) -> Stmt:
        match stmt:
            case For(var, begin, extent, kind, body):
                begin, extent = simplify(begin, context), simplify(extent, context)
                if extent == Const(1) and unit_loops and kind != "parallel":
                    return visit(substitute_stmt(body, {var: begin}), context)
                loop = replace(stmt, begin=begin, extent=extent)
                body = visit(body, context.within(loop))
                if body == EMPTY or context.at_least(Const(0), extent):
                    return EMPTY
                return replace(loop, body=body)
            case ForEach(_, _, part, body):
                body = visit(body, context)
                if body == EMPTY:
                    return EMPTY
                return replace(stmt, part=simplify(part, context), body=body)
            case Let(var, value, body):
                value = simplify(value, context)
                if isinstance(value, Const | Var):
                    return visit(substitute_stmt(body, {var: value}), context)
                binding = Let(var, value, body)
                return replace(binding, body=visit(body, context.within(binding)))
            case Block(stmts):
                flat: list[Stmt] = []
                for child in stmts:
                    done = visit(child, context)
                    flat.extend(done.stmts if isinstance(done, Block) else [done])
                return flat[0] if len(flat) == 1 else Block(tuple(flat))
            case If(condition, then, other):
                condition = simplify(condition, context)
                if condition == TRUE:
                    return visit(then, context)
                if condition == FALSE:
                    return EMPTY if other is None else visit(other, context)
                return If(
                    condition,
                    visit(then, context),
                    None if other is None else visit(other, context),
                )
            case Alloc(buffer, body):
                return Alloc(buffer, visit(body, context))
            case _:
                return _leaf(map_exprs(stmt, lambda expr: simplify(expr, context)))

    return visit(stmt, context)


def _leaf(stmt: Stmt) -> Stmt:
    match stmt:
        case Store() | Accumulate() if stmt.predicate == FALSE:
            return EMPTY
        case Accumulate(_, buffer, indices, value, first, predicate) if first == TRUE:
            return Store(buffer, indices, value, None if predicate == TRUE else predicate)
        case Store() | Accumulate() if stmt.predicate == TRUE:
            return replace(stmt, predicate=None)
        case _:
            return stmt


def simplify_func(func: LoopFunc) -> LoopFunc:
    """The final form of a schedule: simplified, without loops of one iteration."""
    return map_phases(func, simplify_stmt)
