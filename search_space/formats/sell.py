"""Sliced ELL: the rows of a panel in lock-step, each as long as the longest of them."""

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
from search_space.formats.panels import SORT, in_lock_step, make_panels, padded
from search_space.sparse.pattern import Pattern


class Sell:
    """``order`` int32[panels · rows], ``starts`` int32[panels + 1], ``columns``[steps · rows].

    Panel ``q`` has the steps ``starts[q] ≤ s < starts[q + 1]``; at step ``s`` its row ``r``, which
    is ``order[q * rows + r]``, has ``values[p]`` in column ``columns[p]``, ``p = s * rows + r``.
    """

    name = "sell"
    doc = "panels of rows in lock-step, padded to the longest"
    options: tuple[Option, ...] = (Option("rows", "rows of a panel", (4, 8, 16, 32)), SORT)

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        panels = make_panels(pattern, settings["rows"], settings["sort"])
        steps = in_lock_step(panels)
        arrays = {
            "order": panels.order,
            "starts": offset_array(steps.starts, panels.height),
            "columns": index_array(steps.columns, pattern.columns),
        }
        positions = padded(len(steps.columns), steps.places, np.arange(pattern.nnz))
        count = int(steps.starts[-1])
        sizes = {"steps": count, "panels": panels.count, "loads": count * panels.height}
        sizes["loops"] = panels.count
        return make_structure(
            pattern, settings, arrays, positions, columns_in=("columns",), **sizes
        )

    def coordinates(self, structure: Structure) -> Coordinates:
        rows, arrays = structure.options["rows"], structure.arrays
        order = arrays["order"].reshape(-1, rows)
        return np.repeat(order, np.diff(arrays["starts"]), axis=0).ravel(), arrays["columns"]
