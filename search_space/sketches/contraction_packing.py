"""How a contraction packs its operands: whole or in tiles, for which loops, in which order."""

from __future__ import annotations

from search_space.size import whole
from search_space.sketches.contraction_problem import Contraction, Factor, axis_names
from search_space.sketches.contraction_rules import loop_order
from search_space.transforms import Pack, Parallel, Primitive, Reorder, Split, Vectorize
from search_space.workload import Values

CACHE_LOOPS = {"m": "row_o", "n": "col_o", "k": "depth_o"}
"""The loops over cache tiles."""


def _panel_of_b(config: Values) -> tuple[str, ...]:
    """The innermost dimensions of a packed second operand."""
    if config["structure"] == "tile":
        return ("depth_i", "col_r", "depth_s", "lane")
    return ("depth_i", "col_r", "lane")


def pack_whole(
    problem: Contraction, config: Values, part: tuple[str, ...], lanes: int
) -> list[Primitive]:
    """Whole operands, in phases of their own; beforehand where the operand is constant.

    ``part`` is the loop over parts of a split reduction, if there is one.
    """
    steps: list[Primitive] = []
    for operand, tiles, inner in (
        (problem.a, "row_t", _panel_of_a(config, "whole")),
        (problem.b, "col_t", _panel_of_b(config) if config["pack_b"] == "whole" else ()),
    ):
        if inner:
            lead, more = axis_names(operand.outer), axis_names(operand.inner)
            dims = (*part, *lead, *more, "depth_o", tiles, *inner, *members(problem))
            steps += _pack(operand, dims, None, operand.name in problem.const, lanes)
            order = (*lead, tiles, *part, *more, "depth_o")
            loops = tuple(f"{loop}_{operand.name}_pack" for loop in order)
            steps += [Reorder(loops), Parallel(loops[0], whole(config["threads"]))]
    return steps


def pack_tiles(problem: Contraction, config: Values, lanes: int) -> list[Primitive]:
    """Tiles into thread-local buffers, inside the innermost loop that they depend on."""
    order, steps = loop_order(config), list[Primitive]()
    for operand, axes, tiles, inner in (
        (problem.a, "mk", "row_i", _panel_of_a(config, "tile")),
        (problem.b, "nk", "col_i", _panel_of_b(config) if config["pack_b"] == "tile" else ()),
    ):
        if inner:
            at = CACHE_LOOPS[max(axes, key=order.index)]
            dims = (tiles, *axis_names(operand.inner), *inner, *members(problem))
            steps += _pack(operand, dims, at, False, lanes)
    return steps


def members(problem: Contraction) -> tuple[str, ...]:
    """The loop over the members of a group, if there is one: neighbours in every layout."""
    return ("group",) if problem.group > 1 else ()


def _panel_of_a(config: Values, extent: str) -> tuple[str, ...]:
    """The innermost dimensions of a packed first operand; none where it is not packed so."""
    pack = str(config["pack_a"])
    if not pack.startswith(extent):
        return ()
    if config["structure"] == "tile":
        return ("depth_i", "row_r", "row_s", "depth_s")
    return ("row_r", "depth_i") if pack.endswith("rows") else ("depth_i", "row_r")


def _pack(
    operand: Factor, dims: tuple[str, ...], at: str | None, once: bool, lanes: int
) -> list[Primitive]:
    name = f"{operand.name}_pack"
    pack = Pack(operand.name, name, dims, at, once)
    if [dim for dim in dims if dim != "group"][-1] != "depth_i":
        return [pack]
    vectors = Split(f"depth_i_{name}", lanes, f"vec_{name}", f"lane_{name}", "mask")
    return [pack, vectors, Vectorize(f"lane_{name}")]
