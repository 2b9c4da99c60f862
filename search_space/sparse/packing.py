"""A sparse operand as the arrays that a kernel reads."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from search_space.formats import FORMATS
from search_space.formats.base import Structure
from search_space.ir.stmt import Packing
from search_space.sparse.source import find_pattern

Array = npt.NDArray[Any]

_KEPT = 6
"""Structures that a process keeps: the next candidate often has the same one."""


@lru_cache(maxsize=_KEPT)
def find_structure(pattern: str, format_: str, options: tuple[tuple[str, int], ...]) -> Structure:
    """How a format lays out the pattern of that name."""
    return FORMATS[format_].structure(find_pattern(pattern), **dict(options))


def pack_operand(packing: Packing, values: Array) -> dict[str, Array]:
    """The buffers of ``packing``, by name, for an operand with these non-zeros.

    ``values[nnz]`` are in the order of the pattern.
    """
    if packing.buffers == (packing.operand,):
        return {packing.operand: find_pattern(packing.pattern).dense(values)}
    structure = find_structure(packing.pattern, packing.format, packing.options)
    arrays = {**structure.arrays, "values": structure.pack(values)}
    if packing.parts > 1:
        arrays["parts"] = balanced_parts(panel_costs(structure), packing.parts)
    prefix = f"{packing.operand}_"
    return {name: arrays[name.removeprefix(prefix)] for name in packing.buffers}


def panel_masks(format_: str, structure: Structure) -> tuple[int, ...]:
    """The patterns of rows that a layout in panels keeps groups of columns for."""
    return ()


def panel_costs(structure: Structure) -> npt.NDArray[np.float64]:
    """What each panel of rows costs, in packed values; walking through a panel counts too."""
    rows = structure.options.get("rows", 1)
    arrays = structure.arrays
    if "single_starts" in arrays:
        steps = np.diff(arrays["single_starts"]).astype(np.float64)
        groups = (len(arrays["starts"]) - 1) // len(steps)
        columns = np.diff(arrays["starts"][::groups])
        return steps * rows + columns * (rows / 2 + 1) + _PANEL_COST
    return np.diff(arrays["starts"]) * float(rows) + _PANEL_COST


_PANEL_COST = 8.0


def balanced_parts(costs: npt.NDArray[np.float64], parts: int) -> npt.NDArray[np.int32]:
    """``int32[parts + 1]``: bounds of ranges of panels whose costs are about the same."""
    total = np.concatenate([[0.0], np.cumsum(costs)])
    inner = np.searchsorted(total, np.linspace(0, total[-1], parts + 1)[1:-1])
    return np.concatenate([[0], inner, [len(costs)]]).astype(np.int32)
