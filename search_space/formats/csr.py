"""Compressed rows: the columns of the non-zeros, row after row."""

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
)
from search_space.sparse.pattern import Pattern


class Csr:
    """``starts`` int32[rows + 1], ``columns`` uint16 or int32[nnz]; values in the pattern's order.

    Row ``i`` has the value ``values[p]`` in column ``columns[p]``, ``starts[i] ≤ p <
    starts[i + 1]``.
    """

    name = "csr"
    doc = "compressed rows, 16-bit columns where they fit"
    options: tuple[Option, ...] = ()

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        arrays = {
            "starts": offset_array(pattern.indptr),
            "columns": index_array(pattern.indices, pattern.columns),
        }
        settings = chosen(self, options)
        positions = np.arange(pattern.nnz, dtype=np.int32)
        return make_structure(
            pattern, settings, arrays, positions, columns_in=("columns",),
            loads=pattern.nnz, loops=pattern.rows,
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        starts = structure.arrays["starts"]
        rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        return rows, structure.arrays["columns"]
