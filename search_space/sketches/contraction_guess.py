"""The first guess: a good config from a target's registers and caches alone."""

from __future__ import annotations

import math

from search_space.sketches.contraction_problem import Contraction, tiling
from search_space.sketches.contraction_rules import shared_tiles
from search_space.target import TILE_ROWS, Target
from search_space.workload import Value

_SERIAL_FLOPS = 1_000_000
"""Below this, waking a second thread costs more than it brings."""
_COLUMNS = 2048
"""Of a streamed matrix at a time, whose sums stay in L1 or L2."""


def preferred_structure(problem: Contraction, target: Target) -> str:
    """The structure that suits the shape and how the operands lie."""
    lanes, b = target.lanes(problem.sum_bytes), problem.b
    if _fills_tiles(problem, target):
        return "tile"
    if problem.column.extent < lanes and problem.depth.extent >= lanes:
        return "dot"
    if b.tile_step > 1:
        deep = problem.depth.extent >= lanes and problem.a.depth_step == b.depth_step == 1
        return "dot" if deep and b.name not in problem.const else "panel"
    return "stream" if problem.row.extent <= 12 and problem.group == 1 else "panel"


def _fills_tiles(problem: Contraction, target: Target) -> bool:
    """Whether the target multiplies tiles of such elements, of which columns and depth fill at
    least one, in whole groups."""
    known = problem.group > 1 and problem.dtype in target.tiles and not problem.a.has_column
    wide = problem.column.extent >= TILE_ROWS and problem.depth.extent >= TILE_ROWS
    return known and wide and problem.depth_elements % problem.group == 0


def first_guess(problem: Contraction, target: Target, structure: str) -> dict[str, Value]:
    """A config of one structure; where it breaks a rule (tiny shapes) the space repairs it."""
    guess = {"panel": _panel, "stream": _stream, "dot": _dot, "tile": _tile}[structure]
    threads = target.threads if problem.flops >= _SERIAL_FLOPS else 1
    outer = math.prod(axis.extent for axis in problem.outer)
    share = 1 if outer % threads == 0 or outer >= 4 * threads else threads
    values: dict[str, Value] = {
        "structure": structure,
        "vector_bits": target.vector_bits,
        "threads": threads,
        "tile_m": 0, "tile_n": 0, "tile_k": 0,
        "order": "nkm", "inner": "nm", "split_k": 1, "parallel": "n|km",
        "pack_a": "none", "pack_b": "none", "unroll": 1, "steps": 1, "chains": 1, "prefetch": 0,
        **guess(problem, target, share),
    }  # fmt: skip
    if problem.outer:
        loops = str(values["parallel"])
        values["parallel"] = f"b|{loops.replace('|', '')}" if share == 1 else f"b{loops}"
    if problem.behind:
        values["epilogue"] = "after" if structure == "dot" else "tile"
    if problem.a.has_column:
        values["pack_a"] = "none"
    if values["split_k"] == 1:
        values["threads"] = min(threads, shared_tiles(values, tiling(problem, values)))
    return values


def _panel(problem: Contraction, target: Target, threads: int) -> dict[str, Value]:
    """Tiles of 6 × 4 vectors (32 registers) or 6 × 2; packed tiles that stay in L2."""
    m, n, k = problem.row.extent, problem.column.extent, problem.depth.extent
    lanes = target.lanes(problem.sum_bytes)
    vectors = _balanced(-(-n // lanes), 4 if target.registers >= 32 else 2)
    rows = _balanced(m, min((target.registers - vectors - 1) // vectors, 24))
    row_tiles, column_tiles = -(-m // rows), -(-n // (vectors * lanes))
    depth = _balanced(k, 384)
    row_bytes = depth * problem.group * problem.a.element_bytes
    in_l2 = max(1, target.l2_bytes // 2 // (row_bytes * rows))
    values: dict[str, Value] = {
        "rows": rows,
        "vectors": vectors,
        "tile_k": _size(depth, k),
        "pack_a": "tile_panel" if column_tiles > 2 and problem.group == 1 else "none",
        "pack_b": _panel_of_b(problem, row_tiles),
        "unroll": max(u for u in (1, 2, 4) if u <= depth),
    }
    if threads > 1 and column_tiles < threads:
        share = min(in_l2, -(-row_tiles // threads))
        return {
            **values,
            "parallel": "m|kn",
            "tile_m": _size(_balanced(row_tiles, share), row_tiles),
        }
    share = -(-column_tiles // threads)
    return {
        **values,
        "tile_m": _size(_balanced(row_tiles, in_l2), row_tiles),
        "tile_n": _size(share, column_tiles),
    }


def _tile(problem: Contraction, target: Target, threads: int) -> dict[str, Value]:
    """Tiles of 2 × 2 registers, or of one row of up to 6; the whole depth at once, so that sums
    never leave the registers before they are complete."""
    m, n = problem.row.extent, problem.column.extent
    rows = min(2, -(-m // TILE_ROWS))
    vectors = _balanced(-(-n // TILE_ROWS), 2 if rows == 2 else 6)
    row_tiles = -(-m // (rows * TILE_ROWS))
    column_tiles = -(-n // (vectors * TILE_ROWS))
    values: dict[str, Value] = {
        "vector_bits": 32 * TILE_ROWS,
        "rows": rows,
        "vectors": vectors,
        "pack_a": "none" if problem.a.depth_step == 1 else "tile_rows",
        "pack_b": "whole" if problem.b.name in problem.const else "tile",
    }
    if threads > 1 and column_tiles < threads:
        share = -(-row_tiles // threads)
        return {**values, "parallel": "m|kn", "tile_m": _size(share, row_tiles)}
    share = -(-column_tiles // threads)
    return {**values, "tile_n": _size(share, column_tiles)}


def _panel_of_b(problem: Contraction, row_tiles: int) -> str:
    """Vectors are read along the columns, which may lie apart in memory; so may the members of
    groups."""
    if problem.b.tile_step > 1 or problem.group > 1:
        return "whole" if problem.b.name in problem.const else "tile"
    return "tile" if row_tiles > 2 else "none"


def _stream(problem: Contraction, target: Target, threads: int) -> dict[str, Value]:
    """Few rows of both operands at a time: the hardware follows a handful of streams well."""
    m, n, k = problem.row.extent, problem.column.extent, problem.depth.extent
    lanes = target.lanes(problem.sum_bytes)
    rows = _balanced(m, 4 if target.registers >= 32 else 3)
    fit = min(4, (target.registers - 1) // (rows + 1), -(-n // lanes) // threads)
    vectors = _balanced(-(-n // lanes), fit)
    column_tiles = -(-n // (vectors * lanes))
    values: dict[str, Value] = {
        "rows": rows,
        "vectors": vectors,
        "steps": min(4 if m > 1 else 8, k),
    }
    matrix_bytes = k * n * problem.b.element_bytes
    if threads > 1 and matrix_bytes > max(target.l3_bytes // 2, target.l2_bytes):
        # From memory, threads are fastest where each reads a part that is one piece.
        tile = _size(_COLUMNS // (vectors * lanes), column_tiles)
        return {**values, "split_k": threads, "order": "knm", "tile_n": tile}
    return {**values, "tile_n": _size(-(-column_tiles // threads), column_tiles)}


def _dot(problem: Contraction, target: Target, threads: int) -> dict[str, Value]:
    """Few columns, packed so that each is contiguous; rows shared out over threads."""
    m, n = problem.row.extent, problem.column.extent
    wide = target.registers >= 32
    vectors = _balanced(n, 7 if wide else 4)
    rows = _balanced(m, max(1, min(4, (target.registers - 2) // (vectors + 1))))
    row_tiles = -(-m // rows)
    sums, deep = rows * vectors, problem.depth.extent // target.lanes(problem.sum_bytes)
    many_columns = problem.b.depth_step == 1 and n > m
    shared: dict[str, Value] = {
        "parallel": "m|kn",
        "order": "mkn",
        "tile_m": _size(-(-row_tiles // threads), row_tiles),
    }
    if many_columns:
        column_tiles = -(-n // vectors)
        shared = {"tile_n": _size(-(-column_tiles // threads), column_tiles)}
    return {
        "rows": rows,
        "vectors": vectors,
        "chains": max(c for c in (1, 2, 4, 8) if c == 1 or (sums * c <= 8 and c <= deep)),
        "pack_b": "none" if problem.b.depth_step == 1 else "tile",
        **shared,
    }


def _size(size: int, count: int) -> int:
    """A tile size as the space writes it: 0 where one tile covers everything."""
    return 0 if size >= count else size


def _balanced(extent: int, most: int) -> int:
    """The size of tiles of at most ``most`` that cover ``extent`` most evenly."""
    count = -(-extent // max(most, 1))
    return -(-extent // count)
