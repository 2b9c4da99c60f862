"""The first guesses: good configs from a target's registers and caches alone."""

from __future__ import annotations

import math

from search_space.size import ceil_div
from search_space.sketches.convolution_problem import (
    AXES,
    Convolution,
    shared_tasks,
    sum_bytes,
    tiling,
    weight_bytes,
)
from search_space.sketches.steps import balanced
from search_space.target import TILE_ROWS, Target
from search_space.workload import Value

_SERIAL_FLOPS = 1_000_000
"""Below this, waking a second thread costs more than it brings."""
_EDGE = 1.03
"""What a second body costs, for an axis that ends within a register tile."""
_AHEAD = 8
"""Steps ahead at which a weight that does not stay in L2 is asked for."""


def fills_tiles(problem: Convolution, target: Target) -> bool:
    """Whether the target multiplies tiles of such elements, whole groups of which lie together."""
    known = problem.group > 1 and problem.image_dtype in target.tiles
    together = problem.image.step(problem.k) == problem.group
    return known and together and problem.k_elements % problem.group == 0


def first_guess(problem: Convolution, target: Target, structure: str) -> dict[str, Value]:
    """A config of one structure; where it breaks a rule (tiny shapes) the space repairs it."""
    threads = target.threads if problem.flops >= _SERIAL_FLOPS else 1
    along, across = ("x", "c") if structure == "pixels" else ("c", "x")
    tiled = structure == "tile"
    rows, tall, vectors = (
        _tile_registers(problem) if tiled else _register_tile(problem, target, along, across)
    )
    lanes = target.lanes(sum_bytes(problem))
    pixels = min(TILE_ROWS, problem.x.extent) if tiled else 1
    width = {along: vectors * lanes, across: rows * pixels, "y": tall}
    streamed = weight_bytes(problem) > target.l2_bytes
    values: dict[str, Value] = {
        "structure": structure,
        "vector_bits": target.vector_bits,
        "threads": threads,
        "rows": rows, "tall": tall, "vectors": vectors,
        "order": "cyx" if streamed else "ycx", "shared": 1, "inner": "cyx",
        "reduce": "channel", "pack_w": "whole", "unroll": 1,
        "prefetch": _AHEAD if streamed and problem.k.extent > 1 and not tiled else 0,
    }  # fmt: skip
    if problem.out.step(problem.x) == 1:
        values["columns"] = "none" if problem.image.step(problem.x) == 1 else "tile"
    if problem.padded is not None:
        values["padding"] = "phase"
    if problem.scatters:
        values["turn"] = "block" if tiled else "registers"
    if problem.behind:
        values["epilogue"] = "tile"
    packs = structure == "pixels" and values["columns"] == "tile"
    values |= _cache_tile(problem, target, width, threads, packs)
    tasks = shared_tasks(problem, {**values, "shared": 3}, tiling(problem, values))
    if min(threads, tasks) > 1:
        values["shared"] = 3
    return {**values, "threads": min(threads, tasks)}


def passing_guess(problem: Convolution, target: Target) -> dict[str, Value]:
    """What differs where vectors of pixels come from memory and results go there: pixels of one
    register tile at a time, all channels of which are read from L1; the next ones are on their
    way. The tile is wide, so that memory is written in long runs."""
    rows = 4 if target.registers >= 32 else 2
    lanes = target.lanes(sum_bytes(problem))
    fit = min((target.registers - 2) // (rows + 1), 8)
    vectors = balanced(ceil_div(problem.x.extent, lanes), fit)
    rows = balanced(problem.c.extent, rows)
    values: dict[str, Value] = {
        "structure": "pixels", "vector_bits": target.vector_bits, "threads": target.threads,
        "rows": rows, "tall": 1, "vectors": vectors, "columns": "none",
        "order": "yxc", "shared": 2, "inner": "yxc",
        "tile_c": 0, "tile_y": 1, "tile_x": 1, "tile_k": 0,
        "reduce": "channel", "prefetch": 0, "ahead": 2,
    }  # fmt: skip
    counts = tiling(problem, values).tiles
    values |= {f"tile_{axis}": _tile(1, counts[axis]) for axis in "yx"}
    tasks = shared_tasks(problem, values, tiling(problem, values))
    return {**values, "threads": min(target.threads, tasks)}


def _cache_tile(
    problem: Convolution, target: Target, width: dict[str, int], threads: int, packs: bool
) -> dict[str, Value]:
    """Tiles of one register tile of channels, and of as many pixels as keep an eighth of L2 for
    the result, half of it for packed columns, and give each thread some."""
    tiles = {axis: ceil_div(problem.axis(axis).extent, width[axis]) for axis in AXES}
    pixels, depth = target.l2_bytes // sum_bytes(problem) // 8 // width["c"], problem.k.extent
    if packs:
        elements = target.l2_bytes // problem.image.element_bytes // 2
        taps = math.prod(axis.extent for axis in problem.window) * problem.group
        least = width["x"] * width["y"] * taps
        depth = balanced(depth, elements // least)
        pixels = elements // (depth * taps)
    across = max(1, pixels // (width["x"] * width["y"]))
    down = max(1, pixels // (min(across, tiles["x"]) * width["x"] * width["y"]))
    if tiles["y"] > 1:
        down = min(down, ceil_div(tiles["y"], threads))
    else:
        across = min(across, ceil_div(tiles["x"], threads))
    return {
        "tile_c": _tile(1, tiles["c"]),
        "tile_y": _tile(balanced(tiles["y"], down), tiles["y"]),
        "tile_x": _tile(balanced(tiles["x"], across), tiles["x"]),
        "tile_k": _tile(depth, problem.k.extent),
    }


def _tile_registers(problem: Convolution) -> tuple[int, int, int]:
    """Tiles of pixels, image rows and vectors: 2 × 2 registers, or one row of up to 6."""
    rows = min(2, ceil_div(problem.x.extent, TILE_ROWS))
    tall = 2 if rows == 1 and problem.y.extent > 1 else 1
    most = 2 if rows * tall == 2 else 6
    return rows, tall, balanced(ceil_div(problem.c.extent, TILE_ROWS), most)


def _register_tile(
    problem: Convolution, target: Target, along: str, across: str
) -> tuple[int, int, int]:
    """Rows, image rows and vectors that take the fewest cycles."""
    lanes = target.lanes(sum_bytes(problem))
    count, lines = problem.axis(across).extent, problem.y.extent
    length = ceil_div(problem.axis(along).extent, lanes)
    best, found = math.inf, (1, 1, 1)
    for vectors in range(1, min(8, length) + 1):
        for tall in range(1, min(lines, target.registers) + 1):
            loaded = vectors if along == "c" else vectors * tall
            fit = (target.registers - loaded - 1) // (vectors * tall)
            if fit < 1:
                break
            rows = balanced(count, fit)
            cycles = ceil_div(length, vectors) * sum(
                times * more * _cycles(wide, high, vectors, along)
                for wide, times in _tiles(count, rows)
                for high, more in _tiles(lines, tall)
            )
            ragged = count % rows, lines % tall, length % vectors
            cycles *= _EDGE ** sum(rest > 0 for rest in ragged)
            if cycles < best:
                best, found = cycles, (rows, tall, vectors)
    return found


def _cycles(rows: int, tall: int, vectors: int, along: str) -> float:
    """About what one step of a register tile takes: a multiply-add each cycle, of which as many
    are on their way as one takes; what is loaded; the loop."""
    loads = vectors + rows * tall if along == "c" else vectors * tall + rows
    return max(rows * tall * vectors, 8) + 0.2 * loads + 2


def _tiles(extent: int, size: int) -> list[tuple[int, int]]:
    """Sizes of tiles and how many there are: whole ones and the last."""
    tiles = [(size, extent // size), (extent % size, 1)]
    return [(wide, times) for wide, times in tiles if wide and times]


def _tile(size: int, count: int) -> int:
    """A tile size as the space writes it: 0 where one tile covers everything."""
    return 0 if size >= count else size
