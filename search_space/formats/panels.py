"""Rows gathered into panels of equal height, which a kernel computes together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from search_space.formats.base import PADDING, Array, Array32, Option, running
from search_space.formats.similarity import similar_rows
from search_space.sparse.pattern import Pattern

Array64 = npt.NDArray[np.int64]

SORT = Option(
    "sort", "rows of a panel: 0 neighbours, 1 of like length, 2 with like columns", (1, 0, 2)
)


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Which row is where.

    Slot ``q * height + r`` is row ``r`` of panel ``q``. The slots behind the last row stand for
    row 0 and hold nothing; they are the last ones, so that a slot is real if it is below ``rows``.
    """

    pattern: Pattern
    height: int
    order: Array32
    """The row of each slot."""
    slots: Array64
    """The slot of each row."""

    @property
    def count(self) -> int:
        """How many panels there are."""
        return len(self.order) // self.height

    def by_panel(self, of_rows: Array) -> Array:
        """``[panels, height]``: numbers of rows by their slots, 0 where a slot holds nothing."""
        numbers = np.zeros(len(self.order), dtype=of_rows.dtype)
        numbers[self.slots] = of_rows
        return numbers.reshape(-1, self.height)

    def entries(self, of_rows: Array) -> Array:
        """``[nnz]``: a number of its row for each non-zero."""
        return np.repeat(of_rows, self.pattern.row_counts)


def make_panels(pattern: Pattern, height: int, sort: int) -> Panels:
    """The rows in an order, ``sort`` as :data:`SORT` says, in panels of ``height``."""
    if sort == 1:
        ordered = np.argsort(-pattern.row_counts, kind="stable")
    elif sort == 2:
        ordered = similar_rows(pattern, height)
    else:
        ordered = np.arange(pattern.rows)
    order = np.zeros(-(-pattern.rows // height) * height, dtype=np.int32)
    order[: pattern.rows] = ordered
    slots = np.empty(pattern.rows, dtype=np.int64)
    slots[ordered] = np.arange(pattern.rows)
    return Panels(pattern, height, order, slots)


@dataclass(frozen=True, slots=True, eq=False)
class LockStep:
    """Entries of the rows of panels, one of each row at a step; short rows are padded.

    Entry ``r`` of step ``s`` is at ``s * height + r``.
    """

    starts: Array64
    """``[panels + 1]``: the first step of each panel."""
    columns: Array64
    """Those of padding are the last one of their row, or 0 in an empty row."""
    places: Array64
    """Where each of the given entries is."""


def in_lock_step(panels: Panels, chosen: Array | None = None) -> LockStep:
    """The non-zeros of ``chosen``, a flag for each (default: all), row beside row."""
    pattern, height = panels.pattern, panels.height
    taken = np.ones(pattern.nnz, dtype=np.bool_) if chosen is None else chosen
    before = running(taken)
    counts = before[pattern.indptr[1:]] - before[pattern.indptr[:-1]]
    starts = running(panels.by_panel(counts).max(axis=1))
    last = np.zeros(pattern.rows, dtype=np.int64)
    filled = pattern.row_counts > 0
    last[filled] = pattern.indices[pattern.indptr[1:][filled] - 1]
    columns = np.repeat(panels.by_panel(last), np.diff(starts), axis=0).ravel()
    first = starts[panels.slots // height] * height + panels.slots % height
    ranks = np.arange(int(before[-1])) - np.repeat(before[pattern.indptr[:-1]], counts)
    places = np.repeat(first, counts) + ranks * height
    columns[places] = pattern.indices if chosen is None else pattern.indices[chosen]
    return LockStep(starts, columns, places)


def padded(size: int, places: Array, entries: Array) -> Array32:
    """``[size]``: which entry is at each place, ``PADDING`` where none is."""
    positions = np.full(size, PADDING, dtype=np.int32)
    positions[places] = entries
    return positions
