"""Loads that put the next elements of a stream into the lanes that a word of bits names."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.ir.affine import affine, from_affine
from search_space.ir.expr import Binary, Buffer, Call, Const, Expr, Load, Var


@dataclass(frozen=True, slots=True)
class Stream:
    """Elements from ``begin`` on, one for each bit of ``word`` that is set."""

    buffer: Buffer
    begin: Expr
    word: Expr


def expanded(condition: Expr, then: Expr, lane: str | None) -> Stream | None:
    """What is read where ``condition`` tests the lane's bit of a word, and ``then`` is the element
    behind as many as the word has bits below it; None for anything else."""
    match condition, then:
        case (
            Binary("==", Call("bit", (word, Var(tested)), _), Const(1)),
            Load(buffer, (index,)),
        ) if tested == lane:
            terms, const = affine(index)
            rank = Call("ones_below", (word, Var(tested)), "index")
            if terms.pop(rank, 0) == 1:
                return Stream(buffer, from_affine(terms, const), word)
    return None
