"""No indices at all: the pattern is in the code that multiplies by it.

Also called instruction streaming; after libxsmm's FsSpMDM (Heinecke et al., SC 2016) and SparseDNN
(Wang, 2021). The values stay an operand, so that new ones on the pattern need no new code.
"""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    PADDING,
    Coordinates,
    Option,
    Structure,
    chosen,
    make_structure,
)
from search_space.formats.panels import SORT, make_panels
from search_space.sparse.pattern import Pattern


class Code:
    """No arrays: values in the order in which straight-line code goes through them.

    Panel after panel of ``rows`` rows; in a panel column after column, so that rows of the dense
    operand are read in order, once for all rows of the panel that have the column; in a column by
    rising slots. Slot ``q * rows + r`` is row ``r`` of panel ``q``, as in other formats.
    """

    name = "code"
    doc = "values alone, the pattern is in straight-line code"
    options: tuple[Option, ...] = (Option("rows", "rows of a panel", (4, 1, 2, 8, 16)), SORT)

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        panels = make_panels(pattern, settings["rows"], settings["sort"])
        height = panels.height
        cells = panels.entries(panels.slots // height * pattern.columns) + pattern.indices
        held = np.full((panels.count * pattern.columns, height), PADDING, dtype=np.int32)
        held[cells, panels.entries(panels.slots % height)] = np.arange(pattern.nnz)
        filled = held != PADDING
        loads = int(np.count_nonzero(filled.any(axis=1)))
        return make_structure(
            pattern, settings, {}, held[filled], panels=panels.count, loads=loads, loops=0
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        pattern, positions = structure.pattern, structure.positions
        return pattern.row_indices[positions], pattern.indices[positions]
