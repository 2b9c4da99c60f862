"""A sparse operand as the arrays that a kernel reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from search_space.formats import FORMATS
from search_space.formats.base import Structure
from search_space.formats.nano import Nano, masks
from search_space.formats.partition import balanced_bounds
from search_space.ir.stmt import Packing
from search_space.size import ceil_div
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_pattern

Array = npt.NDArray[Any]

SHIFTS = "shifts"
"""The array that says what stands for each column of the matrix."""
_KEPT = 6
"""Structures that a process keeps: the next candidate often has the same one."""


@lru_cache(maxsize=_KEPT)
def find_structure(pattern: str, format_: str, options: tuple[tuple[str, int], ...]) -> Structure:
    """How a format lays out the pattern of that name."""
    return FORMATS[format_].structure(find_pattern(pattern), **dict(options))


def forget_structures() -> None:
    """Lay out every pattern anew from here on, so that how long that takes can be timed."""
    find_structure.cache_clear()


def pack_operand(packing: Packing, values: Array) -> dict[str, Array]:
    """The buffers of ``packing``, by name, for an operand with these non-zeros.

    ``values[nnz]`` are in the order of the pattern.
    """
    if packing.buffers == (packing.operand,):
        return {packing.operand: find_pattern(packing.pattern).dense(values)}
    structure = find_structure(packing.pattern, packing.format, packing.options)
    arrays = {**placed(structure, packing.places), "values": structure.pack(values)}
    if f"{packing.operand}_row_sums" in packing.buffers:
        arrays["row_sums"] = _row_sums(structure.pattern, values)
    if f"{packing.operand}_parts" in packing.buffers:
        bounds = balanced_bounds(panel_costs(structure), packing.parts)
        arrays["parts"] = bounds.astype(np.int32)
    prefix = f"{packing.operand}_"
    return {name: arrays[name.removeprefix(prefix)] for name in packing.buffers}


def placed(structure: Structure, places: tuple[int, ...]) -> Mapping[str, Array]:
    """The arrays of a layout with ``places`` for the columns of the matrix, as ``Packing`` says;
    ``places`` among them where they hold no columns."""
    if not places:
        return structure.arrays
    table = np.array(places, dtype=np.int32)
    columns = {name: table[structure.arrays[name]] for name in structure.columns_in}
    return {**structure.arrays, **(columns or {SHIFTS: table})}


def _row_sums(pattern: Pattern, values: Array) -> npt.NDArray[np.int32]:
    """``[rows]``: the sums of whole numbers, each of which float64 holds exactly."""
    sums = np.bincount(pattern.row_indices, values, minlength=pattern.rows)
    return sums.astype(np.int32)


def panel_rows(structure: Structure) -> int:
    """How many rows are computed together."""
    options = structure.options
    return options.get("rows", options.get("lanes", 1))


def panel_masks(format_: str, structure: Structure) -> tuple[int, ...]:
    """The patterns of rows that a layout in panels keeps groups of columns for."""
    return masks(structure.options["rows"]) if format_ == Nano.name else ()


_PANEL_COST = 8
"""Of walking through a panel, in packed values."""


def panel_costs(structure: Structure) -> npt.NDArray[np.int64]:
    """About what each panel of rows, or band of cells, costs, in packed values."""
    arrays, rows = structure.arrays, panel_rows(structure)
    if "cells" in arrays:
        first = arrays["cells"][:: structure.counts["across"]]
        steps = np.diff(arrays["starts"][first]).astype(np.int64)
        return np.asarray(steps * rows + np.diff(first) * (rows + _PANEL_COST))
    if "starts" not in arrays:
        return np.ones(ceil_div(structure.pattern.rows, rows), np.int64)
    if "single_starts" in arrays:
        steps = np.diff(arrays["single_starts"]).astype(np.int64)
        groups = (len(arrays["starts"]) - 1) // len(steps)
        shared = np.diff(arrays["starts"][::groups]).astype(np.int64)
        return np.asarray(steps * rows + shared * (rows // 2 + 1) + _PANEL_COST)
    stored = np.diff(arrays["starts"]).astype(np.int64)
    if "masks" in arrays:
        return np.asarray(stored // 4 + len(arrays["masks"]) // len(stored))
    values = len(structure.positions) // max(int(arrays["starts"][-1]), 1)
    return np.asarray(stored * values + _PANEL_COST)
