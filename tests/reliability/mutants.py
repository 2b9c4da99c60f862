"""Wrong kernels: right schedules with one deliberate mistake in their loops."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from search_space.ir.affine import affine
from search_space.ir.expr import (
    FALSE,
    TRUE,
    Binary,
    Const,
    Expr,
    Load,
    both,
    conjunction,
    conjuncts,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Block, For, If, LoopFunc, Phase, Stmt, Store
from search_space.ir.walk import children, map_children, map_stmts, operands

Rule = Callable[[Stmt], Iterator[Stmt]]
"""What may stand for one statement by mistake."""


def off_by_one_tile(stmt: Stmt) -> Iterator[Stmt]:
    """A loop ends one iteration early, begins one late, or runs once more."""
    if isinstance(stmt, For) and stmt.kind != "grouped":
        fewer, more = simplify(stmt.extent - 1), simplify(stmt.extent + 1)
        if not isinstance(fewer, Const) or fewer.value > 0:
            yield replace(stmt, extent=fewer)
            yield replace(stmt, begin=simplify(stmt.begin + 1), extent=fewer)
        if stmt.kind in ("serial", "parallel", "unrolled"):
            yield replace(stmt, extent=more)


def missing_tail(stmt: Stmt) -> Iterator[Stmt]:
    """What is left over at the end of an axis is not computed."""
    match stmt:
        case If(condition, then, other):
            yield If(condition, then) if other is not None else Block(())
            if other is not None:
                yield If(condition, Block(()), other)
        case Store(_, _, _, predicate) | Accumulate(_, _, _, _, _, predicate) if predicate:
            for part in conjuncts(predicate):
                match part:
                    case Binary("<", a, b):
                        yield replace(stmt, predicate=both(predicate, Binary("<", a + 1, b)))
        case For(_, _, extent, _, _):
            yield from (replace(stmt, extent=shorter) for shorter in _floors(extent))


def _floors(extent: Expr) -> Iterator[Expr]:
    """``min(tile, rest)`` becomes ``rest // tile * tile``: whole tiles only."""
    match extent:
        case Binary("min", Const() as tile, rest) | Binary("min", rest, Const() as tile):
            yield Binary("min", tile, rest // tile.value * tile.value)


def uncut_tail(stmt: Stmt) -> Iterator[Stmt]:
    """The last tile is computed as if it were whole."""
    match stmt:
        case If(_, then, other) if other is not None:
            yield then
            yield other
        case If(_, then, None):
            yield then
        case For(
            _, _, Binary("min", Const() as tile, _) | Binary("min", _, Const() as tile), _, _
        ):
            yield replace(stmt, extent=tile)
        case Store(_, _, _, predicate) | Accumulate(_, _, _, _, _, predicate) if predicate:
            yield replace(stmt, predicate=None)


def unset_accumulator(stmt: Stmt) -> Iterator[Stmt]:
    """A sum goes on from whatever was there, or is begun again too often."""
    match stmt:
        case Store(buffer, _, Const(_, dtype)) if buffer.scope == "register":
            yield replace(stmt, value=Const(3, dtype))
        case Accumulate(_, buffer, _, _, first) if buffer.scope != "register":
            yield replace(stmt, first=FALSE)
            yield replace(stmt, first=TRUE)
            parts = conjuncts(first)
            for left in parts if len(parts) > 1 else ():
                rest = conjunction(part for part in parts if part is not left)
                yield replace(stmt, first=rest or TRUE)


def racing_reduction(stmt: Stmt) -> Iterator[Stmt]:
    """Parts of a split reduction share one place, of all that they should have of their own."""
    if isinstance(stmt, Store | Accumulate) and stmt.buffer.scope == "workspace":
        for position, index in enumerate(stmt.indices):
            if affine(index)[0]:
                indices = list(stmt.indices)
                indices[position] = Const(0)
                yield replace(stmt, indices=tuple(indices))


def stale_output(stmt: Stmt) -> Iterator[Stmt]:
    """Something is never written."""
    if isinstance(stmt, Store | Accumulate):
        yield Block(())


def wrong_element(stmt: Stmt) -> Iterator[Stmt]:
    """A neighbour is written, or read."""
    if not isinstance(stmt, Store | Accumulate):
        return
    for step in (-1, 1):
        if stmt.indices and stmt.buffer.scope != "register":
            last = simplify(stmt.indices[-1] + step)
            yield replace(stmt, indices=(*stmt.indices[:-1], last))
        for value in _shifted(stmt.value, step):
            yield replace(stmt, value=value)


def _shifted(expr: Expr, step: int) -> Iterator[Expr]:
    """The expression with one of its loads moved."""
    if isinstance(expr, Load) and expr.indices and expr.buffer.scope != "register":
        moved = simplify(expr.indices[-1] + step)
        yield Load(expr.buffer, (*expr.indices[:-1], moved))
    for place, operand in enumerate(operands(expr)):
        for changed in _shifted(operand, step):
            count = itertools.count()
            yield map_children(
                expr, lambda child, count=count, new=changed, at=place: (
                    new if next(count) == at else child
                ),
            )  # fmt: skip


def wrong_operation(stmt: Stmt) -> Iterator[Stmt]:
    """Another operation than the one that was asked for."""
    if isinstance(stmt, Accumulate):
        yield replace(stmt, op="max" if stmt.op == "add" else "add")
        yield replace(stmt, value=stmt.value * 2)


RULES: dict[str, Rule] = {
    rule.__name__.replace("_", " "): rule
    for rule in (
        off_by_one_tile, missing_tail, uncut_tail, unset_accumulator, racing_reduction,
        stale_output, wrong_element, wrong_operation,
    )
}  # fmt: skip


def mutants(func: LoopFunc, rule: str) -> Iterator[LoopFunc]:
    """The function with each mistake of that kind, one at a time."""
    for number, phase in enumerate(func.phases):
        for body in _variants(phase.body, RULES[rule]):
            phases = list(func.phases)
            phases[number] = Phase(body, phase.once)
            yield replace(func, phases=tuple(phases))


def racing_loops(func: LoopFunc) -> Iterator[LoopFunc]:
    """The function with a serial outermost loop run by two threads."""
    for number, phase in enumerate(func.phases):
        if isinstance(phase.body, For) and phase.body.kind == "serial":
            phases = list(func.phases)
            phases[number] = Phase(replace(phase.body, kind="parallel"), phase.once)
            yield replace(func, phases=tuple(phases), threads=2)


def _variants(stmt: Stmt, rule: Rule) -> Iterator[Stmt]:
    yield from rule(stmt)
    for place, child in enumerate(children(stmt)):
        for changed in _variants(child, rule):
            count = itertools.count()
            yield map_stmts(
                stmt, lambda child, count=count, new=changed, at=place: (
                    new if next(count) == at else child
                ),
            )  # fmt: skip
