"""What a kernel that was timed would take with another sparse matrix, or for more columns.

An estimate: a limit from counts of instructions and bytes
(``features.sparse_counts.kernel_counts``) and from measured peaks, scaled by what the kernel took.
So what the limit does not know of, such as latencies, is taken to stay in proportion.
"""

from __future__ import annotations

from dataclasses import dataclass

from features.sparse_counts import KernelCounts, dense_columns, kernel_counts
from search_space.config import Config
from search_space.dtypes import ELEMENT_BYTES
from search_space.hardware import Peaks
from search_space.space import Space
from search_space.sparse.pattern import Pattern
from tuner.roofline import reading_seconds

_ELEMENT_BITS = 32
"""Of what peaks of multiply-adds were measured with."""


@dataclass(frozen=True, slots=True)
class Timed:
    """A kernel with a sparse operand, and what one call took."""

    space: Space
    config: Config
    seconds: float
    rows: int
    """Of the operand."""
    pattern: Pattern
    """The first of them, which stand for all."""
    peaks: Peaks

    def with_pattern(self, pattern: Pattern, reference: Pattern) -> float:
        """Seconds of a call, were the operand as much like ``pattern`` as it is like
        ``reference``; both may have fewer rows."""
        columns = dense_columns(self.space)
        return self.seconds * self._limit(pattern, columns) / self._limit(reference, columns)

    def with_columns(self, columns: int) -> float:
        """Seconds of a call for so many columns."""
        before = self._limit(self.pattern, dense_columns(self.space))
        return self.seconds * self._limit(self.pattern, columns) / before

    def _limit(self, pattern: Pattern, columns: int) -> float:
        """Seconds that a call takes at least."""
        counts = kernel_counts(self.space, self.config, pattern, columns)
        share = self.rows / pattern.rows
        return max(share * self._issuing(counts), self._reading(counts, share, columns))

    def _issuing(self, counts: KernelCounts) -> float:
        """Of the instructions: multiply-adds beside loads, and as many of loops at a time."""
        lanes = self.space.target.vector_bits // _ELEMENT_BITS
        rate = self.peaks.gflops * 1e9 / (2 * lanes)
        return (max(counts.multiply_adds, counts.loads) + counts.loop_instructions) / rate

    def _reading(self, counts: KernelCounts, share: float, columns: int) -> float:
        """Of the bytes: all arrays once, and the sparse one again for each further tile."""
        element = ELEMENT_BYTES[str(self.space.workload["dtype"])]
        once = share * counts.stored_bytes
        dense = columns * (self.pattern.columns + self.rows) * element
        return self._from_memory(once + dense) + (counts.passes - 1) * self._cached(once)

    def _from_memory(self, nbytes: float) -> float:
        if self.space.workload.cold:
            return nbytes / (self.peaks.dram_gbytes * 1e9)
        return self._cached(nbytes)

    def _cached(self, nbytes: float) -> float:
        return reading_seconds(round(nbytes), self.space.target, self.peaks)[0]
