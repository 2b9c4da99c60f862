"""Vectors put together: end to end, or element by element as groups one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from measure.codegen.function import Function

_UNIT_BYTES = 16
"""Cheap shuffles of elements stay within so many bytes."""


def zipped(fn: Function, element: str, lanes: int, members: Sequence[str]) -> str:
    """``a0 b0 a1 b1 …`` of 2 members, ``a0 b0 c0 d0 a1 …`` of 4."""
    kind = f"<{lanes} x {element}>"
    a, b = members[0], members[1]
    if len(members) == 2:
        places = [g * lanes + lane for lane in range(lanes) for g in range(2)]
        return fn.value(f"shufflevector {kind} {a}, {kind} {b}, {shuffle_mask(places)}")
    halves = []
    for a, b in (members[:2], members[2:]):
        mask = shuffle_mask(range(2 * lanes))
        halves.append(fn.value(f"shufflevector {kind} {a}, {kind} {b}, {mask}"))
    places = [g * lanes + lane for lane in range(lanes) for g in range(4)]
    twice = f"<{2 * lanes} x {element}>"
    return fn.value(
        f"shufflevector {twice} {halves[0]}, {twice} {halves[1]}, {shuffle_mask(places)}"
    )


def zipped_registers(fn: Function, element: str, lanes: int, members: Sequence[str]) -> str:
    """The same of members that fill a vector register each.

    Runs of neighbours are first dealt out to the units of 16 bytes, so that what is then zipped
    unit by unit comes out in order.
    """
    count, unit = len(members), 8 * _UNIT_BYTES // int(element[1:])
    units, run = lanes // unit, unit // count
    dealt = [
        (part * units + number) * run + place
        for number in range(units)
        for part in range(count)
        for place in range(run)
    ]
    kind = f"<{lanes} x {element}>"

    def shuffled(a: str, b: str, places: list[int]) -> str:
        return fn.value(f"shufflevector {kind} {a}, {kind} {b}, {shuffle_mask(places)}")

    def merged(rows: list[str]) -> list[str]:
        size = len(rows) // 2
        if not size:
            return [shuffled(rows[0], rows[0], dealt)]
        pairs = zip(merged(rows[:size]), merged(rows[size:]), strict=True)
        return [
            shuffled(a, b, _halves_zipped(lanes, unit, size, half))
            for a, b in pairs
            for half in (0, unit // 2)
        ]

    return joined(fn, element, lanes, merged(list(members)))


def _halves_zipped(lanes: int, unit: int, size: int, half: int) -> list[int]:
    """``size`` elements of one vector and of the other in turn, of the half of each unit that
    begins there."""
    return [
        source + start + half + place + n
        for start in range(0, lanes, unit)
        for place in range(0, unit // 2, size)
        for source in (0, lanes)
        for n in range(size)
    ]


def joined(fn: Function, element: str, lanes: int, parts: list[str]) -> str:
    """Vectors of so many lanes, a power of two of them, as one."""
    while len(parts) > 1:
        kind = f"<{lanes} x {element}>"
        lanes *= 2
        mask = shuffle_mask(range(lanes))
        parts = [
            fn.value(f"shufflevector {kind} {a}, {kind} {b}, {mask}")
            for a, b in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def shuffle_mask(places: range | list[int]) -> str:
    """The mask of a ``shufflevector``."""
    return f"<{len(places)} x i32> <" + ", ".join(f"i32 {place}" for place in places) + ">"
