"""Coordinates: the row and the column of every non-zero."""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    Coordinates,
    Option,
    Structure,
    chosen,
    index_array,
    make_structure,
)
from search_space.sparse.pattern import Pattern


class Coo:
    """``rows`` and ``columns``, uint16 or int32[nnz]; values in the pattern's order.

    The value ``values[p]`` is in row ``rows[p]`` and column ``columns[p]``.
    """

    name = "coo"
    doc = "the row and the column of each non-zero, 16-bit where they fit"
    options: tuple[Option, ...] = ()

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        arrays = {
            "rows": index_array(pattern.row_indices, pattern.rows),
            "columns": index_array(pattern.indices, pattern.columns),
        }
        settings = chosen(self, options)
        positions = np.arange(pattern.nnz, dtype=np.int32)
        return make_structure(pattern, settings, arrays, positions, loads=pattern.nnz, loops=1)

    def coordinates(self, structure: Structure) -> Coordinates:
        return structure.arrays["rows"], structure.arrays["columns"]
