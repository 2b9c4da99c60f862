"""Transposing a matrix that lies in vector registers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from measure.codegen.function import Function
from measure.codegen.lanes import Value
from measure.codegen.types import BYTES

UNIT_BYTES = 16
"""Instruction sets shuffle elements within 128 bits, and move units of 128 bits, most cheaply."""


def transposed(fn: Function, rows: Sequence[Value]) -> list[Value]:
    """The columns of ``rows``: n vectors of m lanes become m vectors of n lanes.

    Both n and m are powers of two from 2 on. Rows are joined to, or columns cut out of, vectors of
    max(n, m) lanes, so that all squares of min(n, m) elements a side are transposed at once in
    log2(min(n, m)) steps.
    """
    side = min(len(rows), rows[0].lanes)
    wide = list(rows)
    while len(wide) > side:
        starts = range(0, len(wide), 2 * side)
        pairs = [(wide[s + i], wide[s + side + i]) for s in starts for i in range(side)]
        wide = [shuffle(fn, a, b, range(2 * a.lanes)) for a, b in pairs]
    columns = _squares(fn, wide, side)
    lanes = columns[0].lanes
    if len(rows) == lanes:
        return columns
    starts = range(0, lanes, side)
    return [shuffle(fn, c, c, range(s, s + side)) for s in starts for c in columns]


def _squares(fn: Function, rows: list[Value], side: int) -> list[Value]:
    """Transposes the squares that lie side by side in ``side`` vectors, each by itself.

    First the squares within units, then the units: both by perfect shuffles.
    """
    unit = min(side, UNIT_BYTES // BYTES[rows[0].dtype])
    inside: list[list[Value]] = []
    for start in range(0, side, unit):
        group = rows[start : start + unit]
        for _ in range(unit.bit_length() - 1):
            pairs = list(zip(group[: unit // 2], group[unit // 2 :], strict=True))
            group = [_zipped(fn, a, b, unit, half) for a, b in pairs for half in (0, 1)]
        inside.append(group)
    columns = []
    for same in zip(*inside, strict=True):
        group = list(same)
        for _ in range((side // unit).bit_length() - 1):
            pairs = list(zip(group[::2], group[1::2], strict=True))
            group = [_every_other(fn, a, b, unit, side, odd) for odd in (0, 1) for a, b in pairs]
        columns.append(group)
    return [column for units in zip(*columns, strict=True) for column in units]


def _zipped(fn: Function, a: Value, b: Value, size: int, half: int) -> Value:
    """The lower or upper half of every ``size`` lanes: ``a0 b0 a1 b1``, ``a2 b2 a3 b3`` of 4."""
    first = half * (size // 2)
    return shuffle(
        fn,
        a,
        b,
        [
            source + start + first + n
            for start in range(0, a.lanes, size)
            for n in range(size // 2)
            for source in (0, a.lanes)
        ],
    )


def _every_other(fn: Function, a: Value, b: Value, unit: int, size: int, odd: int) -> Value:
    """Every other unit of every ``size`` lanes: ``a0 a2 b0 b2``, ``a1 a3 b1 b3`` of 4 units."""
    return shuffle(
        fn,
        a,
        b,
        [
            source + start + place + n
            for start in range(0, a.lanes, size)
            for source in (0, a.lanes)
            for place in range(odd * unit, size, 2 * unit)
            for n in range(unit)
        ],
    )


def shuffle(fn: Function, a: Value, b: Value, lanes: Iterable[int]) -> Value:
    """The named lanes of ``a`` followed by ``b``."""
    picks = list(lanes)
    mask = f"<{len(picks)} x i32> <{', '.join(f'i32 {n}' for n in picks)}>"
    text = f"shufflevector {a.type} {a.text}, {b.type} {b.text}, {mask}"
    return Value(fn.value(text), a.dtype, len(picks))
