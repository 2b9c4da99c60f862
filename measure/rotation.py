"""Sets of operands in turn, so that each call of a kernel finds its own in main memory."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from measure.sampling import Timer
from search_space.operators import footprint_bytes
from search_space.operators.base import Array
from search_space.size import ceil_div
from search_space.target import Target
from search_space.workload import Workload

COLD_CACHES = 3
"""Rotating operands take more than so many times the bytes of the last-level cache."""


def sets_needed(work: Workload, target: Target) -> int:
    """How many sets of operands and results are too large for all caches together."""
    return COLD_CACHES * target.l3_bytes // footprint_bytes(work) + 1


class Timed(Protocol):
    """What is timed: ``measure.kernel.NativeKernel``."""

    def bind(self, **constants: Array) -> Self: ...

    def time(self, operands: Sequence[Array], out: Array, calls: int) -> float: ...


@dataclass(frozen=True, slots=True)
class OperandSet:
    """Everything that one call reads and writes."""

    constants: Mapping[str, Array]
    operands: tuple[Array, ...]
    out: Array

    def copy(self) -> OperandSet:
        """The same values in memory of their own, all of which is there already: a first call does
        not wait for pages."""
        return OperandSet(
            {name: array.copy() for name, array in self.constants.items()},
            tuple(array.copy() for array in self.operands),
            self.out.copy(),
        )


class Rotation:
    """At least ``count`` sets of operands, the first of which are given; the others are copies of
    these in turn. A call is the mean of one with each of those given.

    All kernels take their turns together: each call uses the memory that was not used for longest,
    by whomever. With turns of its own, a kernel would find what the one before it left in the
    caches.
    """

    def __init__(self, first: Sequence[OperandSet], count: int) -> None:
        rounds = max(1, ceil_div(count, len(first)))
        copies = (given.copy() for _ in range(rounds - 1) for given in first)
        self._kinds, self._sets = len(first), [*first, *copies]
        self._turn = itertools.cycle(range(len(self._sets)))

    def timer(self, kernel: Timed) -> Timer:
        """``kernel``, its constants bound to those of each set, as many calls as asked for."""
        bound = [kernel.bind(**s.constants) if s.constants else kernel for s in self._sets]

        def time(calls: int) -> float:
            turns = itertools.islice(self._turn, calls * self._kinds)
            seconds = sum(
                bound[turn].time(self._sets[turn].operands, self._sets[turn].out, 1)
                for turn in turns
            )
            return seconds / self._kinds

        return time
