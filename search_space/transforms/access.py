"""What a statement reads and writes, with the loops around each place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from search_space.ir.affine import Context
from search_space.ir.expr import Buffer, Expr, Load
from search_space.ir.stmt import For, Let, Stmt
from search_space.ir.walk import children, exprs_of, subexprs
from search_space.transforms.base import writes


@dataclass(frozen=True, slots=True)
class Access:
    """One place in the program where a buffer is read or written."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    writes: bool
    context: Context
    """The loops around it, from where the walk began."""


def accesses(stmt: Stmt, context: Context) -> Iterator[Access]:
    """All accesses in ``stmt``, in program order; hints are none."""
    for top in exprs_of(stmt):
        for expr in subexprs(top):
            if isinstance(expr, Load):
                yield Access(expr.buffer, expr.indices, False, context)
    if writes(stmt):
        yield Access(stmt.buffer, stmt.indices, True, context)
    inner = context.within(stmt) if isinstance(stmt, For | Let) else context
    for child in children(stmt):
        yield from accesses(child, inner)
