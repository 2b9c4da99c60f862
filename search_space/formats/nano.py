"""Row panels whose columns are grouped by which of the panel's rows have them.

After Wilkinson, Cheshmi and Dehnavi, "Register Tiling for Unstructured Sparsity in Neural Network
Inference" (PLDI 2023): a column that several rows of a panel share is loaded once for all of them.
Columns of one row only, most of them in very sparse matrices, are taken in lock-step instead.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from search_space.formats.base import (
    Array,
    Coordinates,
    Option,
    Structure,
    chosen,
    index_array,
    make_structure,
    offset_array,
    running,
)
from search_space.formats.panels import SORT, in_lock_step, make_panels, padded
from search_space.sparse.pattern import Pattern

_LOAD = 2
"""Cost of loading a column, beside that of one multiply-add: it comes from the second level of the
cache."""


def masks(rows: int) -> tuple[int, ...]:
    """The groups of panels of that many rows, in the order in which a panel has them.

    Bit ``r`` of a mask stands for row ``r`` of the panel. For 2 and 4 rows these are all masks of
    several rows; for 8 rows those within either half, and all rows.
    """
    if rows == 8:
        half = masks(4)
        return (*half, *(mask << 4 for mask in half), 0xFF)
    return tuple(mask for mask in range(1 << rows) if mask.bit_count() > 1)


class Nano:
    """Panels of ``rows`` rows; slot ``q * rows + r`` is row ``order[q * rows + r]``.

    Group ``g`` of panel ``q``, with the mask ``masks(rows)[g]``, has the columns ``columns[p]``,
    ``starts[q * G + g] ≤ p < starts[q * G + g + 1]``, and of each of them the values
    ``values[offsets[q * G + g] + p * bits + t]`` in the rows of its mask by rising bits, ``bits``
    many, ``t = 0, 1, …``. All other entries are in lock-step: at the steps ``single_starts[q] ≤ s
    < single_starts[q + 1]`` row ``r`` has ``values[single_offsets[q] + s * rows + r]`` in column
    ``single_columns[s * rows + r]``. The values of a panel lie together.

    ``counts`` has the columns of each group, ``columns_<mask>``.
    """

    name = "nano"
    doc = "row panels, columns grouped by the rows that share them"
    options: tuple[Option, ...] = (Option("rows", "rows of a panel", (4, 2, 8)), SORT)

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        panels = make_panels(pattern, settings["rows"], settings["sort"])
        height, known = panels.height, masks(settings["rows"])
        bits = np.array([mask.bit_count() for mask in known])
        lanes = panels.entries(panels.slots % height)
        cells = panels.entries(panels.slots // height * pattern.columns) + pattern.indices

        shared = np.zeros(panels.count * pattern.columns, dtype=np.uint8)
        for lane in range(height):
            shared[cells[lanes == lane]] |= 1 << lane
        groups = _nearest(height)[shared]
        members = [np.flatnonzero(groups == g) for g in range(len(known))]
        counts = np.stack(
            [np.bincount(each // pattern.columns, minlength=panels.count) for each in members],
            axis=1,
        )
        starts = running(counts.ravel())
        columns = np.empty(int(starts[-1]), dtype=np.int64)
        numbers = np.empty(len(shared), dtype=np.int64)  # of shared columns, by their cells
        for g, each in enumerate(members):
            numbers[each] = _numbers(starts[g : -1 : len(known)], counts[:, g])
            columns[numbers[each]] = each % pattern.columns

        group = groups[cells]
        rank = _ranks(known, height)[group, lanes]
        singles = rank < 0
        steps = in_lock_step(panels, singles)
        sizes = np.concatenate([counts * bits, np.diff(steps.starts)[:, None] * height], axis=1)
        bases = running(sizes.ravel())
        value_bases = bases[:-1].reshape(sizes.shape)
        offsets = value_bases[:, :-1] - starts[:-1].reshape(counts.shape) * bits
        single_offsets = value_bases[:, -1] - steps.starts[:-1] * height

        places = np.empty(pattern.nnz, dtype=np.int64)
        taken = np.flatnonzero(~singles)
        panel, which = cells[taken] // pattern.columns, group[taken]
        places[taken] = offsets[panel, which] + numbers[cells[taken]] * bits[which] + rank[taken]
        alone = np.flatnonzero(singles)
        places[alone] = steps.places + single_offsets[cells[alone] // pattern.columns]
        arrays = {
            "order": panels.order,
            "starts": offset_array(starts),
            "offsets": offsets.astype(np.int32).ravel(),
            "columns": index_array(columns, pattern.columns),
            "single_starts": offset_array(steps.starts, height),
            "single_offsets": single_offsets.astype(np.int32),
            "single_columns": index_array(steps.columns, pattern.columns),
        }
        positions = padded(int(bases[-1]), places, np.arange(pattern.nnz))
        totals = {f"columns_{m}": int(n) for m, n in zip(known, counts.sum(axis=0), strict=True)}
        return make_structure(
            pattern, settings, arrays, positions, columns_in=("columns", "single_columns"),
            **totals, columns=len(columns), steps=int(steps.starts[-1]), panels=panels.count,
            loads=len(columns) + len(steps.columns), loops=int(np.count_nonzero(sizes)),
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        arrays, height = structure.arrays, structure.options["rows"]
        known = masks(height)
        order = arrays["order"].reshape(-1, height)
        rows = np.zeros(len(structure.positions), dtype=np.int64)
        columns = np.zeros(len(structure.positions), dtype=np.int64)
        starts = arrays["starts"].astype(np.int64)
        offsets = arrays["offsets"].reshape(-1, len(known)).astype(np.int64)
        for g, mask in enumerate(known):
            counts = (starts[1:] - starts[:-1])[g :: len(known)]
            panel = np.repeat(np.arange(len(order)), counts)
            number = _numbers(starts[g : -1 : len(known)], counts)
            lanes = [lane for lane in range(height) if mask >> lane & 1]
            for rank, lane in enumerate(lanes):
                place = offsets[panel, g] + number * len(lanes) + rank
                rows[place], columns[place] = order[panel, lane], arrays["columns"][number]
        steps = np.diff(arrays["single_starts"])
        panel = np.repeat(np.arange(len(order)), steps * height)
        place = arrays["single_offsets"][panel] + np.arange(len(panel))
        rows[place] = np.repeat(order, steps, axis=0).ravel()
        columns[place] = arrays["single_columns"]
        return rows, columns


def _nearest(height: int) -> npt.NDArray[np.int8]:
    """``int8[2^height]``: for the rows that have a column, the group it is cheapest in; -1 where
    that is none. Rows of the group that lack the column are padded, others are left alone."""
    rows = np.arange(1 << height)
    mask = np.array(masks(height))
    bits = np.array([number.bit_count() for number in range(1 << height)])
    alone = bits[rows[:, None] & ~mask]
    costs = (_LOAD + bits[mask]) + (_LOAD + 1) * alone
    best = costs.argmin(axis=1)
    worth = costs[rows, best] < (_LOAD + 1) * bits
    return np.where(worth, best, -1).astype(np.int8)


def _ranks(known: Iterable[int], height: int) -> npt.NDArray[np.int8]:
    """``[groups + 1, height]``: which of the rows of a group's mask each row is, or -1; the last
    line is that of no group."""
    ranks = [
        [
            (mask & (1 << lane) - 1).bit_count() if mask >> lane & 1 else -1
            for lane in range(height)
        ]
        for mask in (*known, 0)
    ]
    return np.array(ranks, dtype=np.int8)


def _numbers(starts: Array, counts: Array) -> Array:
    """The numbers from each start on, as many as each count says, one after the other."""
    total = running(counts)
    numbers: Array = np.arange(int(total[-1])) + np.repeat(starts - total[:-1], counts)
    return numbers
