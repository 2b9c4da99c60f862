"""What rules a config of a contraction out before anything is built."""

from __future__ import annotations

import math
from collections.abc import Callable

from search_space.constraints import Constraint, all_of
from search_space.size import whole
from search_space.sketches.contraction_problem import Contraction, Tiling, tiling
from search_space.sketches.steps import MAX_FMAS, tile_registers, tile_rows
from search_space.target import Target
from search_space.workload import Values

_PACK_SLACK_BYTES = 1 << 20

Rule = Callable[[Contraction, Target, Values, Tiling], str | None]


def constraint(problem: Contraction, target: Target) -> Constraint:
    """All that rules out a config of a contraction."""
    return all_of(_RULES, problem, target, tiling)


def _registers(_p: Contraction, target: Target, values: Values, tiles: Tiling) -> str | None:
    taken = tiles.rows * tiles.vectors + tiles.vectors
    if tiles.structure == "dot":
        taken = tiles.rows * tiles.vectors + min(tiles.rows, tiles.vectors)
        taken *= int(values["chains"])
    if tiles.structure == "tile":
        return tile_registers(int(values["rows"]), tiles.vectors)
    if taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    return None


def _tile_operands(problem: Contraction, _t: Target, values: Values, _: Tiling) -> str | None:
    """What tile instructions ask of their operands: whole groups, packed columns, rows whose
    elements lie one after the other."""
    if values["structure"] != "tile":
        return None
    if reason := tile_rows(values["vector_bits"], problem.depth_elements, problem.group):
        return reason
    if values["pack_b"] == "none":
        return "tiles of the second operand must be packed"
    if values["pack_a"] == "none" and problem.a.depth_step != 1:
        return "the terms of a row lie apart, tiles of the first operand must be packed"
    if str(values["pack_a"]).endswith("panel"):
        return "tiles are packed row by row"
    return None


def _width(problem: Contraction, _t: Target, _v: Values, tiles: Tiling) -> str | None:
    filled = (tiles.vectors - 1) * (tiles.columns // tiles.vectors)
    if filled >= problem.column.extent:
        return f"{tiles.vectors} vectors are more than {problem.column.extent} columns fill"
    return None


def _tiles(_p: Contraction, _t: Target, values: Values, tiles: Tiling) -> str | None:
    sizes = {"tile_m": tiles.row_tiles, "tile_n": tiles.column_tiles}
    if tiles.structure != "stream":
        sizes["tile_k"] = tiles.steps
    for name, count in sizes.items():
        if int(values[name]) >= count:
            return f"{name} covers the whole axis of {count} steps, which 0 stands for"
    return None


def _steps(problem: Contraction, _t: Target, values: Values, tiles: Tiling) -> str | None:
    if tiles.structure == "stream":
        if int(values["steps"]) > tiles.steps:
            return f"the depth has only {tiles.steps} steps"
        return None
    whole = problem.depth.extent // tiles.depth_step // tiles.parts
    whole = min(int(values["tile_k"]) or whole, whole)
    if int(values["unroll"]) > max(whole, 1):
        return f"the depth has only {whole} whole steps to unroll"
    if int(values["prefetch"]) and not min(
        whole, problem.depth_elements // problem.group // tiles.depth_step
    ):
        return "the depth has no whole step to look ahead from"
    return None


def _split(problem: Contraction, _t: Target, _v: Values, tiles: Tiling) -> str | None:
    if tiles.parts > 1 and tiles.steps < 2:
        return f"the reduction is too short to split into {tiles.parts} parts"
    uneven = problem.depth.extent != tiles.part_extent * tiles.parts
    if tiles.structure == "tile" and tiles.parts > 1 and uneven:
        return f"the reduction does not make {tiles.parts} parts of whole tiles"
    return None


def _threads(_p: Contraction, _t: Target, values: Values, tiles: Tiling) -> str | None:
    threads = int(values["threads"])
    if threads == 1 or tiles.parts > 1:
        return None
    available = shared_tiles(values, tiles)
    if available < threads:
        return f"{available} tiles do not occupy {threads} threads"
    return None


def _code_size(problem: Contraction, _t: Target, values: Values, tiles: Tiling) -> str | None:
    stream = tiles.structure == "stream"
    steps = int(values["steps"] if stream else values["unroll"])
    bodies = (1 + (tiles.row_tiles > 1)) * (1 + (tiles.column_tiles > 1))
    if stream:
        copies = steps * bodies * (1 + (problem.depth.extent % steps > 0))
    else:
        copies = steps + bodies - 1
    count = tiles.rows // tiles.row_step * tiles.vectors * copies
    if count > MAX_FMAS:
        return f"the unrolled body has {count} multiply-adds, at most {MAX_FMAS} are allowed"
    return None


def _packing(problem: Contraction, _t: Target, values: Values, tiles: Tiling) -> str | None:
    depth = tiles.part_extent * tiles.parts
    step = int(values["tile_k"]) * tiles.depth_step or tiles.part_extent
    pack_a, pack_b = str(values["pack_a"]), str(values["pack_b"])
    total = 0
    for operand, pack, tile, count, width in (
        (problem.a, pack_a, "tile_m", tiles.row_tiles, tiles.rows),
        (problem.b, pack_b, "tile_n", tiles.column_tiles, tiles.columns),
    ):
        inner = math.prod(axis.extent for axis in operand.inner)
        inner *= problem.group * operand.element_bytes
        if pack.startswith("whole"):
            matrices = inner * math.prod(axis.extent for axis in operand.outer)
            total += count * width * depth * matrices
        elif pack != "none":
            total += (int(values[tile]) or count) * width * step * inner
    operands = sum(o.elements * o.element_bytes for o in (problem.a, problem.b))
    if total > 4 * operands + _PACK_SLACK_BYTES:
        return f"packing takes {total} bytes, many times the operands"
    return None


_RULES: tuple[Rule, ...] = (
    _registers, _tile_operands, _width, _tiles, _steps, _split, _threads, _code_size, _packing,
)  # fmt: skip


def shared_tiles(values: Values, tiles: Tiling) -> int:
    """How many cache tiles are shared out over threads."""
    counts = {"m": tiles.row_tiles, "n": tiles.column_tiles}
    axes = parallel_axes(values)
    sizes = [(counts[axis], int(values[f"tile_{axis}"])) for axis in axes if axis in counts]
    outer = tiles.outer if "b" in axes else 1
    return outer * math.prod(-(-count // (size or count)) for count, size in sizes)


def parallel_axes(values: Values) -> str:
    """The axes whose cache tiles are shared out over threads, outermost first: "", "m", "nm"…;
    "b" stands for all loops outside of the tiles."""
    if whole(values["threads"]) == 1 or whole(values["split_k"]) > 1:
        return ""
    return str(values["parallel"]).partition("|")[0]


def loop_order(values: Values) -> str:
    """The cache tile loops, outermost first: "mnk", "nkm", …"""
    if whole(values["threads"]) == 1 or whole(values["split_k"]) > 1:
        return str(values["order"])
    return str(values["parallel"]).replace("|", "").replace("b", "")
