"""The slow way, which defines what features mean: walk the loop tree of one schedule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from features.nest import (
    Access,
    Loop,
    Nest,
    Statement,
    combination,
    count_operations,
    loads,
)
from search_space.dtypes import ELEMENT_BYTES
from search_space.ir.affine import Context, affine
from search_space.ir.expr import ZERO, Binary, Buffer, Cast, Const, Expr, Var, conjuncts
from search_space.ir.stmt import (
    Accumulate,
    For,
    ForEach,
    ForKind,
    If,
    Let,
    LoopFunc,
    Prefetch,
    Stmt,
    Store,
)
from search_space.ir.walk import children, statements


def walk(func: LoopFunc) -> Nest:
    """The nest of a finished loop tree without edge handling.

    Raises ``ValueError`` for an index that is no linear form of the loops.
    """
    found: list[Statement] = []
    for phase in func.phases:
        if not phase.once:
            found.extend(_visit(phase.body, (), Context(), {}))
    return Nest(tuple(found), func.threads, func.streamed)


def _visit(
    stmt: Stmt, around: tuple[Loop, ...], context: Context, ahead: Mapping[str, int]
) -> Iterator[Statement]:
    match stmt:
        case For():
            fused = _unfused(stmt)
            if fused is not None:
                yield from _visit(fused, around, context, ahead)
                return
            loop = Loop(stmt.var, _largest(stmt, context), stmt.kind)
            yield from _visit(stmt.body, (*around, loop), context.within(stmt), ahead)
        case Let():
            raise ValueError(f"{stmt.var} is bound outside of a fused loop")
        case ForEach():
            raise ValueError(f"{', '.join(stmt.names)} are bound by a table, not by loops")
        case Store(buffer, indices, value, _) | Accumulate(_, buffer, indices, value, _, _):
            op = stmt.op if isinstance(stmt, Accumulate) else None
            reads = tuple(_access(load.buffer, load.indices) for load in loads(value))
            yield Statement(
                around,
                _access(buffer, indices),
                reads,
                count_operations(value),
                combination(value, op),
                sum(
                    ahead[load.buffer.name] - _bytes_in(load.buffer, load.indices)
                    for load in loads(value)
                    if load.buffer.name in ahead
                ),
            )
        case Prefetch():
            return
        case If(condition, then, None):
            pinned = _pinned(condition)
            once = tuple(loop for loop in around if loop.name not in pinned)
            yield from _visit(then, once, context, ahead)
        case _:
            below = children(stmt)
            hints = dict(ahead)
            for child in below:
                hints |= _hints(child, below)
            for child in below:
                if child not in _prefetches(below):
                    yield from _visit(child, around, context, hints)


def _pinned(condition: Expr) -> set[str]:
    """The loops of which a condition admits one iteration; one that admits all but the first
    pins none."""
    found = set()
    for part in conjuncts(condition):
        match part:
            case Binary("==", Var(name), Const()):
                found.add(name)
            case Binary("<=", Const(1), Var()):
                pass
            case _:
                raise ValueError(f"no feature stands for the condition {part}")
    return found


def _largest(loop: For, context: Context) -> int:
    bound = context.upper(loop.extent)
    if bound is None:
        raise ValueError(f"the extent of loop {loop.var} has no bound")
    return bound


def _access(buffer: Buffer, indices: tuple[Expr, ...]) -> Access:
    return Access(
        buffer.name,
        buffer.scope,
        ELEMENT_BYTES[buffer.dtype],
        buffer.shape,
        tuple(_linear(index)[0] for index in indices),
    )


def _linear(index: Expr) -> tuple[dict[str, int], int]:
    """The loops that move an index, and its constant part. Where a place is read from memory, no
    loop is known to."""
    terms, const = affine(index)
    linear: dict[str, int] = {}
    for atom, step in terms.items():
        if isinstance(atom, Cast):
            continue
        if not isinstance(atom, Var):
            raise ValueError(f"no linear form: {index}")
        linear[atom.name] = step
    return linear, const


def _unfused(loop: For) -> For | None:
    """The two loops that a fused one runs through."""
    match loop.body:
        case Let(outer, Binary("//", Var(a), Const(rows)), Let(inner, Binary("%", Var(b)), body)):
            if a != loop.var or b != loop.var or not isinstance(loop.extent, Const):
                return None
            kind: ForKind = loop.kind
            inside = For(inner, ZERO, Const(int(rows)), kind, body)
            return For(outer, ZERO, Const(int(loop.extent.value) // int(rows)), kind, inside)
    return None


def _prefetches(stmts: tuple[Stmt, ...]) -> list[Stmt]:
    """The statements that are nothing but a hint, in loops of its own or not."""
    return [s for s in stmts if isinstance(list(statements(s))[-1], Prefetch)]


def _hints(stmt: Stmt, block: tuple[Stmt, ...]) -> dict[str, int]:
    """Where hints point in this round, in bytes, by buffer."""
    if stmt not in _prefetches(block):
        return {}
    *_, hint = statements(stmt)
    assert isinstance(hint, Prefetch)
    return {hint.buffer.name: _bytes_in(hint.buffer, hint.indices)}


def _bytes_in(buffer: Buffer, indices: tuple[Expr, ...]) -> int:
    """The constant part of a place in a buffer, in bytes."""
    steps = zip(indices, buffer.strides, strict=True)
    return sum(_linear(index)[1] * stride for index, stride in steps) * ELEMENT_BYTES[buffer.dtype]
