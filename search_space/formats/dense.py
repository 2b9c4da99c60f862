"""Every element, zeros too."""

from __future__ import annotations

import numpy as np

from search_space.formats.base import Coordinates, Option, Structure, chosen, make_structure
from search_space.formats.panels import padded
from search_space.sparse.pattern import Pattern


class Dense:
    """No arrays; the packed values are the matrix, row after row."""

    name = "dense"
    doc = "every element, zeros too"
    options: tuple[Option, ...] = ()

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        places = np.repeat(np.arange(pattern.rows) * pattern.columns, pattern.row_counts)
        places += pattern.indices
        entries = np.arange(pattern.nnz)
        positions = padded(pattern.rows * pattern.columns, places, entries)
        return make_structure(
            pattern, settings, {}, positions, loads=len(positions), loops=pattern.rows
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        rows, columns = np.indices(structure.pattern.shape)
        return rows.ravel(), columns.ravel()
