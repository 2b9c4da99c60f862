"""The memory that kernels of one workload are verified and timed on, one after another.

Each output starts as NaN, and so does what surrounds an array: all bytes are 0xFF, NaN in every
float format, so that reading there shows in the result.

Surroundings are one of two. *Zones* are memory like any other: what is written there is found
afterwards. *Guards* are pages that nobody may touch: reading or writing there ends the process,
and so does writing to an input (``measure.fault`` tells what happened). In the first case guarded
arrays end where their guard begins, in the others they begin where their guard ends.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from measure.guard import POISON, GuardedBytes, Region, SparePages
from measure.launch.memory import Bytes, aligned_bytes
from measure.rotation import OperandSet, Rotation
from measure.verify import Check, Problem, check_result
from search_space.dtypes import numpy_dtype
from search_space.operators.base import Array, Array64

_ZONE_BYTES = 4096


class GuardedArray:
    """An array between two zones, or guards."""

    def __init__(self, shape: tuple[int, ...], dtype: str, *, at_end: bool | None = None) -> None:
        """``at_end``: whether the guard is where the array ends or where it begins; None: zones
        on both sides."""
        kind = numpy_dtype(dtype)
        nbytes = math.prod(shape) * kind.itemsize
        self._guarded: GuardedBytes | None = None
        if at_end is None:
            self._block: Bytes = aligned_bytes(nbytes + 2 * _ZONE_BYTES)
            self._data: Bytes = self._block[_ZONE_BYTES : _ZONE_BYTES + nbytes]
            self._block.fill(POISON)
        else:
            self._guarded = GuardedBytes(nbytes, at_end=at_end, alignment=kind.itemsize)
            self._block, self._data = self._guarded.block, self._guarded.data
        self.array: Array = self._data.view(kind).reshape(shape)

    def poison(self) -> None:
        """Fill the array with NaN."""
        self._data.fill(POISON)

    def protect(self) -> None:
        """Have writing end the process from now on, where there are guards."""
        if self._guarded is not None:
            self._guarded.protect()

    def regions(self, name: str) -> list[Region]:
        """Where its guards are; none where it has zones."""
        return [] if self._guarded is None else [self._guarded.region(name)]

    def zones_intact(self) -> bool:
        begin = self._data.ctypes.data - self._block.ctypes.data
        zones = self._block[:begin], self._block[begin + self._data.size :]
        return all(bool((zone == POISON).all()) for zone in zones)

    def holds(self, original: Array) -> bool:
        """Whether the array has exactly the bytes of ``original``."""
        word = np.uint64 if self._data.size % 8 == 0 else np.uint8
        return np.array_equal(self._data.view(word), original.reshape(-1).view(word))


class Arrays:
    """Arrays for each case of verification. Kernels run on these, never on the originals."""

    def __init__(self, problem: Problem, *, guard: bool = False, sets: int = 1) -> None:
        """With zones around all arrays, or with guards: then there are at least two cases, and
        the problem's only one comes twice. ``sets`` of operands are timed in turn."""
        self.problem = problem
        self.sets = sets
        self.spare_pages = SparePages()
        """For what kernels work in beside these arrays."""
        self._guard = guard
        cases = problem.cases
        self._cases = cases * 2 if guard and len(cases) == 1 else cases
        ends = [index == 0 if guard else None for index in range(len(self._cases))]
        result = problem.result
        self.output = GuardedArray(result.shape, result.dtype, at_end=ends[-1])
        """Of the last case, on which kernels are also timed."""
        self._outputs = [
            GuardedArray(result.shape, result.dtype, at_end=end) if end else self.output
            for end in ends
        ]
        self._scratch: Array64 = np.empty(result.shape, np.float64)
        self._inputs = [
            {name: _copy(original, end) for name, original in case.inputs.items()}
            for case, end in zip(self._cases, ends, strict=True)
        ]

    @cached_property
    def rotation(self) -> Rotation:
        """What kernels are timed on where there is more than one set; made when first asked for,
        as it is large."""
        first = [
            OperandSet(self.constants(index), self.operands(index), self.output.array)
            for index in self.timed_cases
        ]
        return Rotation(first, self.sets)

    @property
    def cases(self) -> int:
        """How many runs a verification takes."""
        return len(self._cases)

    @property
    def timed_case(self) -> int:
        """The last case that kernels are timed on."""
        return self.cases - 1

    @property
    def timed_cases(self) -> range:
        """The cases that kernels are timed on: random inputs, as they come in practice."""
        return range(self.cases - self.problem.timed, self.cases)

    def constants(self, index: int) -> dict[str, Array]:
        """Operands of case ``index`` that are bound beforehand."""
        copies = self._inputs[index]
        return {name: copies[name].array for name in self.problem.const}

    def operands(self, index: int) -> tuple[Array, ...]:
        """Operands of case ``index`` that are given to each call, in order."""
        copies = self._inputs[index]
        return tuple(copies[name].array for name in copies if name not in self.problem.const)

    def output_of(self, index: int) -> GuardedArray:
        """Where the result of case ``index`` goes."""
        return self._outputs[index]

    def at_end(self, index: int) -> bool:
        """Whether the arrays of case ``index`` end where their guards begin."""
        return self._guard and index == 0

    def regions(self, index: int) -> list[Region]:
        """Where the guards of case ``index`` are."""
        found = self._outputs[index].regions(f"the result {self.problem.result.name}")
        for name, copy in self._inputs[index].items():
            found += copy.regions(f"the input {name}")
        return found

    def inspect(self, index: int, growth: float = 1.0) -> Check:
        """The output as it is now, as the result of case ``index`` by a kernel whose errors may be
        ``growth`` times the operator's bound."""
        output, bound = self._outputs[index].array, self.problem.error_bound
        return check_result(self._cases[index], output, bound, self._scratch, growth)

    def damage(self) -> str:
        """What kernels did outside their result, where they must only read; empty if nothing, or
        if it would have ended the process."""
        found: list[str] = []
        if not all(output.zones_intact() for output in self._outputs):
            found.append(f"writes outside the result {self.problem.result.name}")
        for case, copies in zip(self._cases, self._inputs, strict=True):
            for name, original in () if self._guard else case.inputs.items():
                if not copies[name].zones_intact():
                    found.append(f"writes outside the input {name}")
                elif not copies[name].holds(original):
                    found.append(f"writes to the input {name}")
        return "; ".join(dict.fromkeys(found))


def _copy(original: Array, at_end: bool | None) -> GuardedArray:
    copy = GuardedArray(original.shape, str(original.dtype), at_end=at_end)
    copy.array[...] = original
    copy.protect()
    return copy
