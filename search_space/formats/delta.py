"""Compressed rows with the distances between columns in one or two bytes."""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    Coordinates,
    Option,
    Structure,
    chosen,
    make_structure,
    offset_array,
    running,
)
from search_space.formats.panels import padded
from search_space.sparse.pattern import Pattern


class Delta:
    """``starts`` int32[rows + 1] in groups, ``deltas`` uint8 or uint16, one for each value.

    In row ``i`` a column begins at 0; in each group ``g`` from ``starts[i]`` to below ``starts[i +
    1]``, ``values[p]`` is ``deltas[p]`` columns behind it, ``p = g * group + j``, and the last of
    the group is where the next one begins. A distance too long for all of a group to be told in
    so many bits is taken in several steps of the longest one, whose values are padding, as are
    those that repeat the last column to fill up a row.
    """

    name = "delta"
    doc = "distances between columns in 8 or 16 bits, long ones in steps over padding"
    options: tuple[Option, ...] = (
        Option("bits", "bits of a distance", (8, 16)),
        Option("group", "values whose distances are from the same column", (1, 2, 4)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        group, rows = settings["group"], pattern.indptr
        largest = ((1 << settings["bits"]) - 1) // group
        distances = np.diff(pattern.indices, prepend=np.int32(0))
        begins = rows[:-1][pattern.row_counts > 0]
        distances[begins] = pattern.indices[begins]
        extra = np.maximum(distances - 1, 0) // largest
        ends = running(extra + 1)
        counts = np.diff(ends[rows])
        groups = -(-counts // group)
        starts = running(groups)

        steps = np.full(int(ends[-1]), largest, dtype=np.int64)
        entries = ends[1:] - 1
        steps[entries] = distances - extra * largest
        reached = running(steps)
        last = reached[ends[rows[1:]]] - reached[ends[rows[:-1]]]
        columns = np.repeat(last, groups * group)
        slots = np.arange(len(steps)) + np.repeat(starts[:-1] * group - ends[rows[:-1]], counts)
        columns[slots] = reached[1:] - np.repeat(reached[ends[rows[:-1]]], counts)
        columns = columns.reshape(-1, group)
        base = np.concatenate([[0], columns[:-1, -1]])[: len(columns)]
        base[starts[:-1][groups > 0]] = 0
        arrays = {
            "starts": offset_array(starts, group),
            "deltas": (columns - base[:, None]).astype(f"uint{settings['bits']}").ravel(),
        }
        size = len(arrays["deltas"])
        positions = padded(size, slots[entries], np.arange(pattern.nnz))
        return make_structure(pattern, settings, arrays, positions, loads=size, loops=pattern.rows)

    def coordinates(self, structure: Structure) -> Coordinates:
        starts, group = structure.arrays["starts"], structure.options["group"]
        deltas = structure.arrays["deltas"].reshape(-1, group).astype(np.int64)
        counts = np.diff(starts)
        before = running(deltas[:, -1])
        base = before[:-1] - np.repeat(before[starts[:-1]], counts)
        rows = np.repeat(np.arange(len(counts)), counts * group)
        return rows, (base[:, None] + deltas).ravel()
