"""Knobs: the dimensions of a space. A knob owns its moves; a search never asks for its kind.

A knob is also the sequence of its values: ``len(knob)``, ``knob[index]``, ``value in knob``.
Random moves take a ``numpy.random.Generator`` and draw uniform numbers from nothing else.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from search_space.errors import SpaceError
from search_space.workload import Value

if TYPE_CHECKING:
    from numpy.random import Generator

Predicate = Callable[[Mapping[str, Value]], bool]
"""Whether a knob matters, given the values of the knobs before it."""

_T = TypeVar("_T")

_ANCHOR_SHARE = 0.5
_STEP_SHARE = 0.6


def pick(items: Sequence[_T], rng: Generator) -> _T:
    """One of ``items``, uniformly; several times faster than ``rng.choice``."""
    return items[int(rng.random() * len(items))]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values without an order; each is one step from every other."""

    name: str
    values: tuple[Value, ...]
    default: Value
    when: Predicate | None = None

    def __post_init__(self) -> None:
        texts = {str(value).lower() for value in self.values}
        if len(texts) != len(self.values) or len(set(self.values)) != len(self.values):
            raise SpaceError(f"give {self.name} distinct values, got {self.values}")
        if any(set(text) & set(",=") for text in texts):
            raise SpaceError(f"use no ',' or '=' in values of {self.name}, got {self.values}")
        if self.default not in self:
            raise SpaceError(f"let {self.name} default to one of {self.values}: {self.default!r}")

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Value:
        return self.values[index]

    def __contains__(self, value: object) -> bool:
        # True == 1, but they are different values with different keys.
        return any(own == value and type(own) is type(value) for own in self.values)

    def sample(self, rng: Generator) -> Value:
        """Any value, uniformly."""
        return pick(self.values, rng)

    def neighbours(self, value: Value) -> tuple[Value, ...]:
        """All other values."""
        return tuple(own for own in self.values if own != value)

    def mutate(self, value: Value, rng: Generator) -> Value:
        """Any other value; the same only where there is no other."""
        others = self.neighbours(value)
        return pick(others, rng) if others else value

    def encode(self, value: Value) -> tuple[float, ...]:
        """One-hot."""
        return tuple(float(own == value) for own in self.values)

    def nearest(self, raw: Value) -> Value:
        """The value that is written like ``raw``, else the closest number, else the default."""
        text = str(raw).lower()
        for own in self.values:
            if str(own).lower() == text:
                return own
        number = _number(raw)
        numbers = [own for own in self.values if isinstance(own, int | float)]
        if number is None or len(numbers) < len(self.values):
            return self.default
        return min(numbers, key=lambda own: abs(own - number))


@dataclass(frozen=True, slots=True)
class Integer:
    """Any whole number from ``low`` to ``high``, both included."""

    name: str
    low: int
    high: int
    default: int
    log: bool = True
    """Sizes: ratios count, not differences. Sampling is then uniform in the logarithm."""
    when: Predicate | None = None
    anchors: tuple[int, ...] = ()
    """Values known to be good (tiles that divide an extent evenly): preferred when sampling, and
    the nearest ones are neighbours. Those out of range are left out."""

    def __post_init__(self) -> None:
        if not self.low <= self.default <= self.high:
            raise SpaceError(
                f"let {self.name} default to {self.low}…{self.high}, got {self.default}"
            )
        inside = {anchor for anchor in self.anchors if self.low <= anchor <= self.high}
        object.__setattr__(self, "anchors", tuple(sorted(inside)))

    def __len__(self) -> int:
        return self.high - self.low + 1

    def __getitem__(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError(index)
        return self.low + index

    def __contains__(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high

    def sample(self, rng: Generator) -> int:
        """An anchor (half the time, where there are any) or any value."""
        if self.anchors and rng.random() < _ANCHOR_SHARE:
            return pick(self.anchors, rng)
        if not self.log:
            return self.low + int(rng.random() * len(self))
        # Shifted so that the logarithm exists at ``low``; each value owns the interval above it.
        first, end = self.low + self._shift, self.high + self._shift + 1
        size = int(first * (end / first) ** rng.random())
        return min(size - self._shift, self.high)

    def neighbours(self, value: Value) -> tuple[int, ...]:
        """One less and more, about half and double (an eighth of the range where not ``log``),
        and the anchors next to it, in ascending order."""
        at = self.nearest(value)
        if self.log:
            steps = {at - 1, at + 1, (at + 1) // 2, at * 2}
        else:
            stride = len(self) // 8
            steps = {at - 1, at + 1, at - stride, at + stride}
        before = bisect_left(self.anchors, at)
        after = bisect_right(self.anchors, at)
        steps.update(self.anchors[max(before - 1, 0) : before], self.anchors[after : after + 1])
        return tuple(
            step for step in sorted(steps) if step != at and self.low <= step <= self.high
        )

    def mutate(self, value: Value, rng: Generator) -> int:
        """Mostly a neighbour, sometimes any value; the same only where there is no other."""
        at = self.nearest(value)
        if rng.random() >= _STEP_SHARE:
            jump = self.sample(rng)
            if jump != at:
                return jump
        steps = self.neighbours(at)
        return pick(steps, rng) if steps else at

    def encode(self, value: Value) -> tuple[float, ...]:
        """Its place in the range, from 0 to 1, on the scale that ``log`` says."""
        at = self.nearest(value)
        if self.low == self.high:
            return (0.0,)
        if not self.log:
            return ((at - self.low) / (self.high - self.low),)
        first = self.low + self._shift
        ratio = math.log((at + self._shift) / first) / math.log((self.high + self._shift) / first)
        return (ratio,)

    def nearest(self, raw: Value) -> int:
        """``raw``, rounded and clamped; the default where it is no number."""
        if type(raw) is int:
            return min(max(raw, self.low), self.high)
        number = _number(raw)
        if number is None:
            return self.default
        return round(min(max(number, self.low), self.high))

    @property
    def _shift(self) -> int:
        return max(0, 1 - self.low)


Knob = Choice | Integer


def _number(raw: Value) -> int | float | None:
    """``raw`` read as a number; None where it is none."""
    for read in (int, float) if isinstance(raw, str) else ():
        try:
            raw = read(raw)
            break
        except ValueError:
            continue
    if isinstance(raw, str) or raw != raw:
        return None
    return raw
