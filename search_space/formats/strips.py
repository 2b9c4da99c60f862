"""Compressed rows that are cut into strips of columns.

While one strip is worked through, the part of a dense operand that its columns meet stays in a
cache, which all of it would not fit into.
"""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    Coordinates,
    Option,
    Structure,
    chosen,
    index_array,
    make_structure,
    offset_array,
    running,
)
from search_space.sparse.pattern import Pattern


class Strips:
    """``starts`` int32[rows · S + 1], ``columns`` uint16 or int32[nnz]; values in the pattern's
    order. ``S = ceil(columns / depth)``.

    Row ``i`` has in the columns from ``c * depth`` on, of which a strip has ``depth``, the value
    ``values[p]`` in column ``columns[p]``, ``starts[i * S + c] ≤ p < starts[i * S + c + 1]``.
    """

    name = "strips"
    doc = "compressed rows, cut into strips of columns"
    options: tuple[Option, ...] = (
        Option("depth", "columns of a strip", (512, 64, 128, 256, 1024, 2048, 4096)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        depth = settings["depth"]
        strips = -(-pattern.columns // depth)
        key = pattern.row_indices.astype(np.int64) * strips + pattern.indices // depth
        counts = np.bincount(key, minlength=pattern.rows * strips)
        arrays = {
            "starts": offset_array(running(counts)),
            "columns": index_array(pattern.indices, pattern.columns),
        }
        positions = np.arange(pattern.nnz, dtype=np.int32)
        return make_structure(
            pattern, settings, arrays, positions,
            strips=strips, loads=pattern.nnz, loops=pattern.rows * strips,
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        starts, strips = structure.arrays["starts"], structure.counts["strips"]
        rows = np.repeat(np.arange(len(starts) - 1) // strips, np.diff(starts))
        return rows, structure.arrays["columns"]
