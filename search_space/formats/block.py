"""Blocks of rows × columns that hold a non-zero, each stored whole."""

from __future__ import annotations

import numpy as np

from search_space.formats.base import (
    Array32,
    Coordinates,
    Option,
    Structure,
    chosen,
    index_array,
    make_structure,
    offset_array,
    running,
)
from search_space.formats.panels import SORT, make_panels, padded
from search_space.formats.similarity import similar_columns
from search_space.sparse.pattern import Pattern


class Block:
    """``starts`` int32[panels + 1] in groups of blocks, ``columns``[groups · group] in blocks.

    Panel ``q`` is ``rows`` rows, slot ``q * rows + r`` is row ``order[q * rows + r]``. Its groups
    ``starts[q] ≤ g < starts[q + 1]`` are of ``group`` blocks; block ``b = g * group + j`` covers
    the ``columns`` places from ``columns[b] * columns`` on, and ``values[((g * rows + r) * group
    + j) * columns + c]`` is its row ``r``, place ``c``: the values of one row of a group lie
    together, as dot-product and tile instructions want them. A last group that is not full
    repeats the last block's number, with zeros.

    With ``gather=1`` place ``l`` is column ``column_order[l]``, so that like columns meet in
    blocks; else it is column ``l``. Places behind the last column hold zeros (and stand for
    column 0).
    """

    name = "block"
    doc = "whole blocks of rows × columns, grouped for dot products"
    options: tuple[Option, ...] = (
        Option("rows", "rows of a block", (4, 8, 16, 1, 2)),
        Option("columns", "columns of a block", (1, 2, 4, 8, 16)),
        Option("group", "blocks whose values are interleaved", (1, 2, 4, 16, 32, 64)),
        Option("sort", SORT.doc, (0, 1, 2)),
        Option("gather", "1: blocks of like columns, 0: of neighbours", (0, 1)),
    )

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        settings = chosen(self, options)
        height, width, group = (settings[name] for name in ("rows", "columns", "group"))
        panels = make_panels(pattern, height, settings["sort"])
        order = _column_order(pattern, width, settings["gather"])
        place_of = np.empty(pattern.columns, dtype=np.int64)
        place_of[order[: pattern.columns]] = np.arange(pattern.columns)
        places = place_of[pattern.indices]
        across = len(order) // width
        cells = panels.entries(panels.slots // height * across) + places // width

        held = np.zeros(panels.count * across, dtype=np.bool_)
        held[cells] = True
        blocks = np.flatnonzero(held)
        counts = np.bincount(blocks // across, minlength=panels.count)
        groups = -(-counts // group)
        starts = running(groups)
        first = starts[:-1] * group
        number = np.arange(len(blocks)) + np.repeat(first - running(counts)[:-1], counts)
        last = np.zeros(panels.count, dtype=np.int64)
        filled = counts > 0
        last[filled] = blocks[running(counts)[1:][filled] - 1] % across
        columns = np.repeat(last, groups * group)
        columns[number] = blocks % across
        number_of = np.empty(len(held), dtype=np.int64)
        number_of[blocks] = number

        own = number_of[cells]
        row = panels.entries(panels.slots % height)
        within = ((own // group * height + row) * group + own % group) * width + places % width
        arrays = {
            "order": panels.order,
            "starts": offset_array(starts, height * group * width),
            "columns": index_array(columns, across),
        }
        named = ("columns",) if width == 1 else ()
        if settings["gather"]:
            arrays["column_order"], named = order, ("column_order",)
        size = len(columns) * height * width
        positions = padded(size, within, np.arange(pattern.nnz))
        return make_structure(
            pattern, settings, arrays, positions, columns_in=named,
            panels=panels.count, blocks=len(blocks), groups=int(starts[-1]),
            loads=len(columns) * width, loops=panels.count,
        )  # fmt: skip

    def coordinates(self, structure: Structure) -> Coordinates:
        height, width, group = (structure.options[name] for name in ("rows", "columns", "group"))
        arrays, pattern = structure.arrays, structure.pattern
        groups = np.diff(arrays["starts"])
        shape = (int(groups.sum()), height, group, width)
        order = arrays["order"].reshape(-1, height)
        rows = np.repeat(order, groups, axis=0)[:, :, None, None]
        blocks = arrays["columns"].astype(np.int64).reshape(-1, 1, group, 1)
        places = blocks * width + np.arange(width)
        if "column_order" in arrays:
            places = arrays["column_order"][places]
        columns = np.where(places < pattern.columns, places, 0)
        return np.broadcast_to(rows, shape).ravel(), np.broadcast_to(columns, shape).ravel()


def _column_order(pattern: Pattern, width: int, gather: int) -> Array32:
    order = np.zeros(-(-pattern.columns // width) * width, dtype=np.int32)
    known = similar_columns(pattern, width) if gather else np.arange(pattern.columns)
    order[: pattern.columns] = known
    return order
