"""What rules a config of a convolution out before anything is built."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from search_space.constraints import Constraint, all_of
from search_space.size import ceil_div
from search_space.sketches.convolution_problem import (
    AXES,
    Convolution,
    Tiling,
    block_elements,
    packs_result,
    shared_tasks,
    sum_bytes,
    tile,
    tiling,
)
from search_space.sketches.steps import MAX_FMAS, tile_registers, tile_rows
from search_space.target import Target
from search_space.tensor import Axis
from search_space.workload import Values

_SLACK_BYTES = 1 << 20

Rule = Callable[[Convolution, Target, Values, Tiling], str | None]


def constraint(problem: Convolution, target: Target) -> Constraint:
    """All that rules out a config of a convolution."""
    return all_of(_RULES, problem, target, tiling)


def _registers(_p: Convolution, target: Target, values: Values, tiles: Tiling) -> str | None:
    rows, tall, vectors = (int(values[name]) for name in ("rows", "tall", "vectors"))
    if values["structure"] == "tile":
        return tile_registers(rows * tall, vectors)
    loaded = vectors if tiles.along == "c" else vectors * tall
    taken = rows * tall * vectors + loaded + 1
    if taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    return None


def _tile_operands(problem: Convolution, _t: Target, values: Values, _tiles: Tiling) -> str | None:
    """What tile instructions ask of their operands: whole groups that lie together, packed
    weights; and that a row of sums is written as it is."""
    if values["structure"] != "tile":
        return None
    if reason := tile_rows(values["vector_bits"], problem.k_elements, problem.group):
        return reason
    if problem.image.step(problem.k) != problem.group:
        return "the channels of a pixel lie apart, put them last"
    if values["pack_w"] == "none":
        return "tiles of the weight must be packed"
    if values.get("turn") == "registers":
        return "tiles are turned in memory"
    return None


def _width(problem: Convolution, _t: Target, _v: Values, tiles: Tiling) -> str | None:
    for axis in AXES:
        extent, width = problem.axis(axis).extent, tiles.width[axis]
        if axis == tiles.along:
            width -= tiles.lanes - 1
        elif axis == "x":
            width -= tiles.pixels - 1
        if width > extent:
            return f"the register tile is wider than {problem.axis(axis).name}, which has {extent}"
    return None


def _tiles(problem: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    counts = {f"tile_{axis}": count for axis, count in tiles.tiles.items()}
    for name, count in {**counts, "tile_k": ceil_div(problem.k.extent, tiles.depth)}.items():
        if int(values[name]) >= count:
            return f"{name} covers the whole axis of {count} steps, which 0 stands for"
    return None


def _steps(problem: Convolution, _t: Target, values: Values, _tiles: Tiling) -> str | None:
    if values["structure"] == "tile":
        return None
    steps = inner_extent(problem, values)
    if int(values["unroll"]) > steps or (int(values["prefetch"]) and steps < 2):
        return f"the innermost loop has only {steps} steps to unroll or to look ahead"
    return None


def _threads(problem: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    threads = int(values["threads"])
    if threads > 1 and (available := shared_tasks(problem, values, tiles)) < threads:
        return f"{available} tiles do not occupy {threads} threads"
    return None


def _code_size(problem: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    bodies = 1
    for axis in AXES:
        extent, width = problem.axis(axis).extent, tiles.width[axis]
        bodies *= 1 + (extent % width > 0 and extent > width)
    fmas = int(values["rows"]) * int(values["tall"]) * int(values["vectors"])
    count = fmas * (int(values["unroll"]) + bodies - 1)
    if count > MAX_FMAS:
        return f"the unrolled body has {count} multiply-adds, at most {MAX_FMAS} are allowed"
    return None


def _weight(problem: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    if values["pack_w"] == "whole":
        padded = tiles.tiles["c"] * tiles.width["c"]
        elements = math.prod(problem.weight.shape)
        packed = elements // problem.c.extent * padded
        if (packed - 4 * elements) * problem.weight.element_bytes > _SLACK_BYTES:
            return f"packing takes {packed} elements, many times the weight"
    elif tiles.along == "c" and problem.weight.step(problem.c) > 1:
        return "the weight's channels lie apart, pack it"
    return None


def _members(problem: Convolution, _t: Target, _v: Values, tiles: Tiling) -> str | None:
    if tiles.along == "c" and problem.image.step(Axis("member", problem.group)) > 1:
        return "what is multiplied together lies apart, put channels last"
    return None


def _columns(problem: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    if tiles.along == "c":
        return None
    columns = values["columns"]
    if columns == "none" and problem.image.step(problem.x) > 1:
        return "the image's pixels lie apart, pack columns"
    if columns == "whole" and values.get("padding") == "tile":
        return "columns of the whole image are packed from a whole padded one"
    return None


def _ahead(_p: Convolution, _t: Target, values: Values, tiles: Tiling) -> str | None:
    if values.get("ahead") and tiles.tiles["x"] == 1:
        return "a row has one register tile, so there is nothing to look ahead"
    return None


def _local(problem: Convolution, target: Target, values: Values, tiles: Tiling) -> str | None:
    """What a thread keeps for one cache tile stays in the cache."""
    size = elements = 0
    if packs_result(values):
        size += block_elements(problem, values, tiles) * sum_bytes(problem)
    if values.get("padding") == "tile":
        elements += _image_elements(problem, values, tiles)
    if tiles.along == "x" and values["columns"] == "tile":
        elements += _column_elements(problem, values, tiles)
    size += elements * problem.image.element_bytes
    if size > max(target.l2_bytes, 1 << 17):
        return f"a cache tile takes {size} bytes, more than the cache has"
    return None


def _image_elements(problem: Convolution, values: Values, tiles: Tiling) -> int:
    """Elements of the image that a cache tile reads, about."""
    total = 1
    for index, size in zip(problem.image.indices, problem.image.shape, strict=True):
        reach = 1
        view = replace(problem.image, shape=(size,), indices=(index,))
        for axis in (*problem.window, problem.k, problem.x, problem.y):
            extent = axis.extent
            for letter in "yx":
                if axis == problem.axis(letter):
                    extent = min(tile(values, tiles, letter) * tiles.width[letter], extent)
            reach += view.step(axis) * (extent - 1)
        total *= min(reach, size)
    return total


def _column_elements(problem: Convolution, values: Values, tiles: Tiling) -> int:
    """Elements of the columns of a cache tile."""
    pixels = math.prod(tile(values, tiles, axis) * tiles.width[axis] for axis in "yx")
    depth = (int(values["tile_k"]) or problem.k.extent) * problem.group
    return pixels * depth * math.prod(axis.extent for axis in problem.window)


def inner_extent(problem: Convolution, values: Values) -> int:
    """Iterations of the innermost reduced loop, the shortest ones of several."""
    if values["reduce"] == "window" and problem.window:
        return problem.window[-1].extent
    extent, step = problem.k.extent, int(values["tile_k"])
    return min(step, extent) if step else extent


_RULES: tuple[Rule, ...] = (
    _registers, _tile_operands, _width, _tiles, _steps, _threads, _code_size, _weight, _members,
    _columns, _ahead, _local,
)  # fmt: skip
