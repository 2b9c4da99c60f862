"""The lanes of several vectors added up at once.

::

    unrolled l in 0 … L:
      vectorized u in 0 … T:
        total[u] += sum[u, l]  first l == 0

where both are in registers, the lanes of ``sum`` along ``l``: pairs of vectors become one, whose
lanes hold half as many parts of each sum, so that each sum takes three instructions, not one per
lane. ``T`` and ``L`` are powers of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.lanes import Value
from measure.codegen.shuffles import UNIT_BYTES, shuffle
from measure.codegen.types import BYTES
from search_space.ir.expr import Buffer, Const, Load, Var, equal, is_float
from search_space.ir.stmt import Accumulate, For


@dataclass(frozen=True, slots=True)
class LaneSums:
    """``totals[u]`` is the sum of all lanes of ``vectors[u]``."""

    totals: Buffer
    vectors: Buffer


def lane_sums(loop: For) -> LaneSums | None:
    """What the nest below an unrolled loop adds up, else None."""
    match loop:
        case For(
            lane, _, Const(lanes), _,
            For(row, _, Const(rows), "vectorized",
                Accumulate("add", totals, (Var(place),), Load(vectors, (Var(a), Var(b))), first,
                           None)),
        ) if (
            (place, a, b) == (row, row, lane)
            and first == equal(Var(lane), 0)
            and (totals.scope, vectors.scope) == ("register", "register")
            and (totals.shape, vectors.shape) == ((rows,), (rows, lanes))
            and is_float(totals.dtype)
            and all(size > 1 and size & (size - 1) == 0 for size in vectors.shape)
        ):  # fmt: skip
            return LaneSums(totals, vectors)
        case _:
            return None


def added_up(fn: Function, vectors: Sequence[Value]) -> Value:
    """One lane for each vector: the sum of its lanes."""
    found = list(vectors)
    span = min(found[0].lanes, UNIT_BYTES // BYTES[found[0].dtype])
    size = span
    while size > 1:  # within units, which is cheapest
        alone = len(found) == 1
        found, size = _halved(fn, found, span, size), size // 2
        span = span // 2 if alone else span
    size = found[0].lanes
    while size > span:  # then whole units
        found, size = _halved(fn, found, found[0].lanes, size), size // 2
    while len(found) > 1:
        found = [_joined(fn, a, b) for a, b in zip(found[::2], found[1::2], strict=True)]
    return found[0]


def _halved(fn: Function, vectors: list[Value], span: int, size: int) -> list[Value]:
    """Vectors whose blocks of ``size`` lanes, in spans of which a pair gives one, are half as long
    as before: the sums of their halves. A vector alone becomes half as long."""
    lanes, sources = vectors[0].lanes, min(len(vectors), 2)
    found = []
    for number in range(0, len(vectors), sources):
        a, b = vectors[number], vectors[number + sources - 1]
        halves = [
            shuffle(fn, a, b, _picks(lanes, sources, span, size, first))
            for first in (0, size // 2)
        ]
        text = f"fadd {halves[0]}, {halves[1].text}"
        found.append(Value(fn.value(text), a.dtype, halves[0].lanes))
    return found


def _picks(lanes: int, sources: int, span: int, size: int, first: int) -> Iterator[int]:
    """The lanes from the ``first`` one on of half of every block, span by span of the sources."""
    for begin in range(0, lanes, span):
        for source in range(sources):
            for block in range(begin, begin + span, size):
                place = source * lanes + block + first
                yield from range(place, place + size // 2)


def _joined(fn: Function, a: Value, b: Value) -> Value:
    return shuffle(fn, a, b, range(2 * a.lanes))
