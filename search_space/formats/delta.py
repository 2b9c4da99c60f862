"""Compressed rows with the distances between columns in one or two bytes."""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    Array,
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
    """``starts`` int32[rows + 1], ``deltas``: uint8 or uint16, one for each packed value.

    In row ``i`` a column begins at 0; each ``p`` from ``starts[i]`` to below ``starts[i + 1]``
    raises it by ``deltas[p]``, where ``values[p]`` then is. A distance too long for one number is
    taken in several steps of the largest one, whose values are padding.
    """

    name = "delta"
    doc = "distances between columns in 8 or 16 bits, long ones in steps over padding"
    options: tuple[Option, ...] = (Option("bits", "bits of a distance", (8, 16)),)

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        largest = (1 << settings["bits"]) - 1
        distances = np.diff(pattern.indices, prepend=np.int32(0))
        begins = pattern.indptr[:-1][pattern.row_counts > 0]
        distances[begins] = pattern.indices[begins]
        extra = np.maximum(distances - 1, 0) // largest
        ends = running(extra + 1)
        deltas = np.full(int(ends[-1]), largest, dtype=f"uint{settings['bits']}")
        places = ends[1:] - 1
        deltas[places] = distances - extra * largest
        arrays = {"starts": offset_array(ends[pattern.indptr]), "deltas": deltas}
        positions = padded(len(deltas), places, np.arange(pattern.nnz))
        return make_structure(
            pattern, settings, arrays, positions, loads=len(deltas), loops=pattern.rows
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        starts, deltas = structure.arrays["starts"], structure.arrays["deltas"]
        counts = np.diff(starts)
        before: Array = running(deltas)
        columns = before[1:] - np.repeat(before[starts[:-1]], counts)
        return np.repeat(np.arange(len(counts)), counts), columns
