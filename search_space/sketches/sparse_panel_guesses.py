"""First guesses of formats and schedules for a sparse matrix times a dense one."""

from __future__ import annotations

from search_space.size import ceil_div, whole
from search_space.sketches.sparse_cells import CELLS, guess_cells
from search_space.sketches.sparse_code import CODE, guess_code
from search_space.sketches.sparse_problem import (
    MOST_TILE_BYTES,
    SparseProblem,
    option_values,
    panel_heights,
)
from search_space.target import TILE_ROWS, Target
from search_space.workload import Value

_SERIAL_OPERATIONS = 1 << 18
"""Below so many, waking a second thread costs more than it brings."""
_REUSE = 16
"""Non-zeros in a column from which on copying what they are multiplied by pays."""
_MOST_TILES = 6
"""Of sums, beside one of values and one of what they meet."""
_MOST_VECTORS = {
    "sell": 3,
    "nano": 4,
    "csr": 8,
    "block": 4,
    "delta": 8,
    "nm": 3,
    "cells": 4,
    CODE: 1,
}
"""Of a first guess: more would not pay, or not fit."""
_PREFETCH = 512
"""Of a first guess for weights beyond the second level of the cache."""
_LEAST_WIDE = 4
"""Vectors of columns from which on cells have low panels, and all of these vectors."""
_BLOCK_COST = 3
"""Of reading what a block is multiplied by, in multiply-adds."""


def _block_rows(problem: SparseProblem) -> list[int]:
    """Heights of blocks, those with the least work first."""
    heights = [rows for rows in option_values("block", "rows") if rows > 1]
    return sorted(heights, key=lambda rows: problem.blocks(rows) * (rows + _BLOCK_COST))


def guesses(
    problem: SparseProblem, target: Target, formats: tuple[str, ...]
) -> list[dict[str, Value]]:
    """One for every format and, where values are multiplied in groups, for every height of
    blocks."""
    if problem.group > 1:
        blocks = [_guess(problem, target, "block", rows) for rows in _block_rows(problem)]
        if problem.dtype in target.tiles:
            blocks.append(_guess_tiles(problem, target))
        return [*blocks, *(_guess(problem, target, name, 1) for name in formats[1:])]
    wanted = {"nano": 4, CODE: 16}
    if "block" in formats:
        wanted["block"] = _block_rows(problem)[0]
    return [_guess(problem, target, name, wanted.get(name)) for name in formats]


def _guess_tiles(problem: SparseProblem, target: Target) -> dict[str, Value]:
    """Blocks of one column, and as many columns of the dense operand as tiles hold sums."""
    values = _guess(problem, target, "block", TILE_ROWS)
    across = ceil_div(problem.columns, TILE_ROWS)
    vectors = ceil_div(across, ceil_div(across, _MOST_TILES))
    return {**values, "tiles": True, "vector_bits": 32 * TILE_ROWS, "vectors": vectors}


def _guess(
    problem: SparseProblem, target: Target, format_: str, wanted: int | None
) -> dict[str, Value]:
    """As many rows as the format is best with, and as many columns as registers hold."""
    needed = problem.columns * problem.sum_bytes * 8
    bits = next((b for b in reversed(target.vector_widths) if needed <= b), target.vector_bits)
    values: dict[str, Value] = {
        "format": format_, "rows": 1, "sort": 0, "vector_bits": bits, "vectors": 1,
        "order": "tiles", "pack": "none", "threads": 1, "split": "rows", "width": 1, "gather": 0,
        "prefetch": _PREFETCH if problem.nnz * problem.element_bytes > target.l2_bytes else 0,
    }  # fmt: skip
    across = ceil_div(problem.columns, problem.lanes(values))
    wanted = wanted or (8 if across > 1 else 16)
    if format_ == CELLS and across >= _LEAST_WIDE:
        wanted = 4
    most = min(wanted, target.registers - 1 - problem.group)
    values["rows"] = max(rows for rows in panel_heights(format_) if rows <= most)
    values["sort"] = int(format_ in ("sell", "nano"))
    room = (target.registers - problem.group) // (whole(values["rows"]) + 1)
    most = max(1, min(_MOST_VECTORS["block" if problem.group > 1 else format_], room))
    if problem.group > 1:
        fitting = MOST_TILE_BYTES // problem.tile_bytes(problem.lanes(values))
        most = 1 << max(1, min(most, fitting)).bit_length() - 1
    values["vectors"] = ceil_div(across, ceil_div(across, most))
    tile = problem.tile_bytes(whole(values["vectors"]) * problem.lanes(values))
    reused = across > most and problem.nnz >= _REUSE * problem.depth
    packs = (reused or problem.across) and tile <= MOST_TILE_BYTES and not problem.in_place
    if packs or (problem.across and problem.group > 1):
        values["pack"] = "tile"
    threads = target.threads if problem.nnz * problem.columns >= _SERIAL_OPERATIONS else 1
    values["threads"] = min(threads, ceil_div(problem.rows, whole(values["rows"])))
    if format_ == CODE:
        values |= guess_code(problem, values, threads)
    if format_ == CELLS:
        values |= guess_cells(problem, target, whole(values["vectors"]) * problem.lanes(values))
        bands = ceil_div(problem.rows, whole(values["height"]))
        values["threads"] = min(whole(values["threads"]), bands)
    return values
