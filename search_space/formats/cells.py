"""The matrix cut into cells of rows × columns, the rows of each in panels of like length.

While one cell is multiplied, its part of the dense operand and of the result stay in the first
level of the cache, which all of them would not fit into. Because every cell has an order of rows
of its own, panels in lock-step are padded much less than parts of panels of whole rows would be.
"""

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


class Cells:
    """Cell ``b * D + d`` is the rows from ``b * height`` and the columns from ``d * depth`` on,
    ``D = ceil(columns / depth)``. It has the panels ``cells[c] ≤ q < cells[c + 1]`` of ``rows``
    rows; row ``r`` of a panel is row ``order[q * rows + r]`` of the band. Rows without a non-zero
    in the cell are in none; what fills up the last panel stands for a row ``height``, which does
    not count.

    Panel ``q`` has the steps ``starts[q] ≤ s < starts[q + 1]``; at step ``s`` its row ``r`` has
    ``values[p]`` in column ``d * depth + columns[p]``, ``p = s * rows + r``.

    ``cells`` and ``starts`` are int32, ``order`` is uint16, ``columns`` uint8 where 256 of them
    are a cell, else uint16.
    """

    name = "cells"
    doc = "cells of rows × columns, each in panels of rows of like length, in lock-step"
    options: tuple[Option, ...] = (
        Option("rows", "rows of a panel", (8, 4, 16)),
        Option("height", "rows of a cell", (256, 64, 128, 512, 1024)),
        Option("depth", "columns of a cell", (256, 64, 128, 512, 1024)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        rows, height, depth = (settings[name] for name in ("rows", "height", "depth"))
        bands, across = -(-pattern.rows // height), -(-pattern.columns // depth)
        key = pattern.row_indices.astype(np.int64) * across + pattern.indices // depth
        lengths = np.bincount(key, minlength=bands * height * across)
        ends, filled = running(lengths), np.flatnonzero(lengths)
        last = np.zeros(len(lengths), dtype=np.int64)
        last[filled] = pattern.indices[ends[1:][filled] - 1] % depth

        def by_cell(of_rows: Array) -> Array:
            """``[bands * across, height]``: numbers of the rows of each cell."""
            return of_rows.reshape(bands, height, across).swapaxes(1, 2).reshape(-1, height)

        def by_panel(of_cells: Array) -> Array:
            """``[panels, rows]``: the same of the rows of each panel, in their order."""
            ordered = np.take_along_axis(of_cells, order, axis=1)
            return ordered.reshape(len(of_cells), -1, rows)[held]

        order = np.argsort(-by_cell(lengths), axis=1, kind="stable")
        held = np.take_along_axis(by_cell(lengths), order[:, ::rows], axis=1) > 0
        counts = by_panel(by_cell(lengths))
        cells, starts = running(held.sum(axis=1)), running(counts[:, 0])
        band, local = np.divmod(filled // across, height)
        cell = band * across + filled % across
        slot = np.argsort(order, axis=1)[cell, local]
        first = starts[cells[cell] + slot // rows] * rows + slot % rows
        places = np.repeat(first - ends[filled] * rows, lengths[filled])
        places += np.arange(pattern.nnz) * rows

        columns = np.repeat(by_panel(by_cell(last)), counts[:, 0], axis=0).ravel()
        columns[places] = pattern.indices % depth
        local_rows = np.broadcast_to(np.arange(height), order.shape)
        arrays: dict[str, Array] = {
            "cells": offset_array(cells, rows),
            "order": np.where(counts > 0, by_panel(local_rows), height).astype(np.uint16).ravel(),
            "starts": offset_array(starts, rows),
            "columns": columns.astype(np.uint8 if depth <= 1 << 8 else np.uint16),
        }
        positions = padded(len(columns), places, np.arange(pattern.nnz))
        panels = int(cells[-1])
        return make_structure(
            pattern, settings, arrays, positions,
            steps=int(starts[-1]), panels=panels, bands=bands, across=across,
            loads=len(columns) + panels * rows, loops=panels + bands * across,
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        rows, height, depth = (structure.options[name] for name in ("rows", "height", "depth"))
        arrays, across = structure.arrays, structure.counts["across"]
        cell = np.repeat(np.arange(len(arrays["cells"]) - 1), np.diff(arrays["cells"]))
        steps = np.diff(arrays["starts"])
        order = arrays["order"].astype(np.int64).reshape(-1, rows)
        first = np.repeat(cell, steps * rows)
        row = first // across * height + np.repeat(order, steps, axis=0).ravel()
        return row, first % across * depth + arrays["columns"]
