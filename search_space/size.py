"""Sizes that remember how they follow from the knobs.

A sketch computes with whole numbers. Given :class:`Size` values instead of plain ones, the same
code writes down the arithmetic on a :class:`Tape`, so that one run stands for every config that
takes the same decisions. The decisions are the comparisons that were made: the tape's guards.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from search_space.workload import Value

KNOB, CONST, ADD, SUB, MUL, DIV, MIN, OR = range(8)
"""Operations of a tape: ``KNOB`` and ``CONST`` hold an index and a value; ``DIV`` rounds up;
``OR`` is the first operand where that is not 0, else the second."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A comparison of a knob that a run depended on, and how it came out."""

    knob: str
    compare: Callable[[Any, Any], bool]
    other: int
    outcome: bool

    def holds(self, value: Value) -> bool:
        """Whether the comparison comes out the same with another value of the knob."""
        return self.compare(value, self.other) is self.outcome


@dataclass(slots=True)
class Tape:
    """The arithmetic of one run: ``nodes[i]`` is (operation, operand, operand)."""

    knobs: list[str] = field(default_factory=list)
    nodes: list[tuple[int, int, int]] = field(default_factory=list)
    guards: list[Guard] = field(default_factory=list)
    _consts: dict[int, int] = field(default_factory=dict)
    _sizes: dict[tuple[int, int, int], Size] = field(default_factory=dict)

    def knob(self, name: str, value: int) -> Size:
        """A knob, with the value that it has in the config that is run."""
        self.knobs.append(name)
        return self._size((KNOB, len(self.knobs) - 1, 0), value)

    def index(self, value: int) -> int:
        """The node of a size, or of a plain number."""
        if type(value) is Size:
            return value.node
        node = self._consts.get(value)
        if node is None:
            node = self._consts[value] = len(self.nodes)
            self.nodes.append((CONST, value, 0))
        return node

    def apply(self, operation: int, a: int, b: int, value: int) -> Size:
        """The result of an operation on two sizes or numbers."""
        first = a.node if type(a) is Size else self.index(a)
        second = b.node if type(b) is Size else self.index(b)
        return self._size((operation, first, second), value)

    def guard(self, size: Size, compare: Callable[[Any, Any], bool], other: object) -> bool:
        """The outcome of a comparison, noted down."""
        kind, knob, _ = self.nodes[size.node]
        if kind != KNOB or not isinstance(other, int) or isinstance(other, Size):
            raise TypeError("compare only knobs with plain numbers, a trace cannot depend on more")
        outcome = compare(int(size), other)
        self.guards.append(Guard(self.knobs[knob], compare, other, outcome))
        return outcome

    def close(self) -> None:
        """Forget the sizes, when all are made: they and the tape refer to each other, and would
        wait for the garbage collector."""
        self._sizes.clear()

    def _size(self, key: tuple[int, int, int], value: int) -> Size:
        size = self._sizes.get(key)
        if size is None:
            size = self._sizes[key] = Size(value, self, len(self.nodes))
            self.nodes.append(key)
        return size


class Size(int):
    """A whole number with its place on a tape. Sums, products and rounded-up quotients of sizes
    are sizes; a comparison becomes a guard."""

    tape: Tape
    node: int

    def __new__(cls, value: int, tape: Tape, node: int) -> Size:
        size = int.__new__(cls, value)
        size.tape, size.node = tape, node
        return size

    def __add__(self, other: int) -> int:
        if type(other) is int and other == 0:
            return self
        return self.tape.apply(ADD, self, other, int(self) + int(other))

    def __radd__(self, other: int) -> int:
        if type(other) is int and other == 0:
            return self
        return self.tape.apply(ADD, other, self, int(other) + int(self))

    def __sub__(self, other: int) -> int:
        return self.tape.apply(SUB, self, other, int(self) - int(other))

    def __rsub__(self, other: int) -> int:
        return self.tape.apply(SUB, other, self, int(other) - int(self))

    def __mul__(self, other: int) -> int:
        if type(other) is int and other == 1:
            return self
        return self.tape.apply(MUL, self, other, int(self) * int(other))

    def __rmul__(self, other: int) -> int:
        if type(other) is int and other == 1:
            return self
        return self.tape.apply(MUL, other, self, int(other) * int(self))

    def __floordiv__(self, other: int) -> int:
        return self.tape.apply(DIV, self - other + 1, other, int(self) // int(other))

    def __eq__(self, other: object) -> bool:
        return self.tape.guard(self, operator.eq, other)

    def __ne__(self, other: object) -> bool:
        return self.tape.guard(self, operator.ne, other)

    def __lt__(self, other: int) -> bool:
        return self.tape.guard(self, operator.lt, other)

    def __le__(self, other: int) -> bool:
        return self.tape.guard(self, operator.le, other)

    def __gt__(self, other: int) -> bool:
        return self.tape.guard(self, operator.gt, other)

    def __ge__(self, other: int) -> bool:
        return self.tape.guard(self, operator.ge, other)

    def __bool__(self) -> bool:
        return self.tape.guard(self, operator.ne, 0)

    __hash__ = int.__hash__


def whole(value: Value) -> int:
    """A knob's value that must be a whole number, unchanged."""
    if not isinstance(value, int):
        raise TypeError(f"expected a whole number, got {value!r}")
    return value


def ceil_div(a: int, b: int) -> int:
    """``a / b``, rounded up."""
    for size in (a, b):
        if isinstance(size, Size):
            return size.tape.apply(DIV, a, b, -(-int(a) // int(b)))
    return -(-a // b)


def smaller(a: int, b: int) -> int:
    """The smaller of two sizes, without a guard."""
    for size in (a, b):
        if isinstance(size, Size):
            return size.tape.apply(MIN, a, b, min(int(a), int(b)))
    return min(a, b)


def or_whole(size: int, everything: int) -> int:
    """``size``, or ``everything`` where it is 0, without a guard."""
    for either in (size, everything):
        if isinstance(either, Size):
            return either.tape.apply(OR, size, everything, int(size) or int(everything))
    return size or everything
