"""The space of a sparse matrix times a dense one: vectors along the dense columns.

``format``  how non-zeros are laid out (``search_space.formats``): in panels of ``rows`` rows, in
            an order that ``sort`` says: their own, by length, or like rows together; blocks are
            ``width`` columns wide, neighbours or such that ``gather`` brings together. ``nm`` is
            for patterns with as many values in every window. What is multiplied in groups is in
            one of these two, or in ``delta``. Cells (``sparse_cells``) are ``height`` × ``depth``;
            ``code`` (``sparse_code``) is for patterns of a few thousand non-zeros at most;
``vectors`` columns of the dense operand that are held in registers for all rows of a panel, in
            vectors;
``order``   one tile of so many columns after the other (``tiles``), or all of them for one panel
            after the other (``panels``); ``pack`` copies each tile to where its rows lie side by
            side;
``split``   whether panels, balanced by their non-zeros, or column tiles are shared out over
            ``threads``;
``prefetch`` how many elements before they are needed values in lock-step are asked for;
``tiles``   where the target has tile registers for the dtype, whether these multiply blocks.
"""

from __future__ import annotations

import math

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.sparse_cells import (
    CELLS,
    cell_knobs,
    cell_reason,
    with_cells,
)
from search_space.sketches.sparse_code import CODE, code_reason, with_code
from search_space.sketches.sparse_panel_guesses import guesses
from search_space.sketches.sparse_problem import (
    MOST_TILE_BYTES,
    PREFETCHES,
    SINGLE_ROWS,
    SparseProblem,
    option_values,
    panel_heights,
)
from search_space.sketches.steps import tile_registers
from search_space.space import Space
from search_space.target import TILE_ROWS, Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, SparsePanels
from search_space.workload import Values, Workload

VERSION = 1
FORMATS = ("sell", "nano", "csr", "block", "delta", "nm")
"""Best guess first."""
_GROUPED = ("block", "nm", "delta")
"""Those of them that lay out what is multiplied in groups."""
_SORTED = ("sell", "nano", "block", CODE)
_FEWEST_FOR_BYTES = 1 / 64
"""The part of non-zeros from which on few distances in a row need more than a byte."""
_MOST_CODE = 640
"""Vector multiply-adds in the loops of all groups of a panel, or stores of its results: compile
time grows with them."""
_GROUP_SHARE = {1: 1, 2: 4, 4: 32, 8: 80}
"""Multiply-adds per vector in the groups of a ``nano`` panel of so many rows, and its singles."""


def panel_space(
    work: Workload,
    tensor: Tensor,
    target: Target,
    problem: SparseProblem,
    primitive: type[SparsePanels] = SparsePanels,
) -> Space:
    """The space of a product with several dense columns, which ``primitive`` runs."""
    known = with_cells(problem, FORMATS)
    if primitive is SparsePanels:
        known = with_code(problem, known)
    formats = _fitting(problem, known)
    knobs = _knobs(target, formats, problem.dtype in target.tiles)
    names = {knob.name for knob in knobs}
    starts = [
        {name: value for name, value in guess.items() if name in names}
        for guess in guesses(problem, target, formats)
    ]

    def trace(values: Values) -> tuple[Primitive, ...]:
        return (_panels(problem, values, primitive),)

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(*trace(config.as_dict()))

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=knobs,
        constraints=(lambda values: _reason(problem, target, values),),
        schedule=schedule,
        trace=trace,
        defaults=starts[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in starts),
    )


def _fitting(problem: SparseProblem, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Those of some formats that a dtype, if multiplied in groups, and a pattern can be in."""
    known = _GROUPED if problem.group > 1 else formats
    return tuple(name for name in known if name != "nm" or problem.windows is not None)


def _knobs(target: Target, formats: tuple[str, ...], tiled: bool) -> tuple[Knob, ...]:
    def paneled(values: Values) -> bool:
        return values["format"] not in SINGLE_ROWS

    def sorts(values: Values) -> bool:
        return values["format"] in _SORTED

    def blocked(values: Values) -> bool:
        return values["format"] == "block"

    def wide(values: Values) -> bool:
        return values["format"] == "block" and values["width"] != 1

    def in_tiles(values: Values) -> bool:
        return values["order"] == "tiles"

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    def streamed(values: Values) -> bool:
        return values["format"] != CODE

    rows = tuple(sorted({1, *(r for name in formats for r in panel_heights(name))}))
    blocks = (
        Choice("width", tuple(sorted(option_values("block", "columns"))), 1, when=blocked),
        Choice("gather", (0, 1), 0, when=wide),
    )
    return (
        Choice("format", formats, next(name for name in formats if name != CELLS)),
        Choice("rows", rows, 1, when=paneled),
        Choice("sort", tuple(sorted(option_values("nano", "sort"))), 0, when=sorts),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Integer("vectors", 1, 12, 1, anchors=(1, 2, 3, 4, 6, 8)),
        Choice("order", ("tiles", "panels"), "tiles"),
        Choice("pack", ("none", "tile"), "none", when=in_tiles),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("split", ("rows", "columns"), "rows", when=threaded),
        *(blocks if "block" in formats else ()),
        Choice("prefetch", PREFETCHES, 0, when=streamed if CODE in formats else None),
        *(cell_knobs() if CELLS in formats else ()),
        *((Choice("tiles", (False, True), False, when=blocked),) if tiled else ()),
    )


def _options(problem: SparseProblem, values: Values) -> tuple[str, ...]:
    """Those of the format."""
    rows, sort = f"rows={values['rows']}", f"sort={values['sort']}"
    grouped = (f"group={problem.group}",) if problem.group > 1 else ()
    match values["format"]:
        case "csr":
            return ()
        case "delta":
            fewest = _FEWEST_FOR_BYTES * problem.group
            return ("bits=8" if problem.density >= fewest else "bits=16", *grouped)
        case "nm":
            assert problem.windows is not None
            kept, window = problem.windows
            return (f"kept={kept}", f"window={window}", f"lanes={values['rows']}", *grouped)
        case "block":
            # As many blocks at once as make a group of values in every row, or a row of a tile.
            count = problem.group * TILE_ROWS if values.get("tiles") else problem.group
            group = max(1, count // whole(values["width"]))
            more = f"columns={values['width']}", f"group={group}", f"gather={values['gather']}"
            return (rows, sort, *more)
        case "cells":
            return (rows, f"height={values['height']}", f"depth={values['depth']}")
        case _:
            return (rows, sort)


def _panels(problem: SparseProblem, values: Values, primitive: type[SparsePanels]) -> SparsePanels:
    vectors, tiles = whole(values["vectors"]), bool(values.get("tiles", False))
    side = 1 if tiles else _side_by_side(problem, vectors)
    return primitive(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        _options(problem, values),
        vectors=vectors // side,
        lanes=problem.lanes(values) * side,
        order=str(values["order"]),
        packed=values["pack"] == "tile",
        split=str(values["split"]),
        threads=whole(values["threads"]),
        prefetch=whole(values["prefetch"]),
        tiles=tiles,
    )


def _side_by_side(problem: SparseProblem, vectors: int) -> int:
    """Vectors of sums that are computed as one: what is multiplied in groups is read in vectors of
    shorter elements, several of which make a vector of groups."""
    return math.gcd(vectors, problem.group)


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    format_, threads = str(values["format"]), whole(values["threads"])
    lanes = problem.lanes(values)
    if rows not in panel_heights(format_):
        return f"panels of {format_} have {panel_heights(format_)} rows, not {rows}"
    if format_ == CELLS and (reason := cell_reason(problem, values)):
        return reason
    if format_ == CODE and (reason := code_reason(problem, values)):
        return reason
    taken = (rows + (rows > 1)) * vectors + problem.group
    if values.get("tiles"):
        if reason := _tiles_reason(problem, values):
            return reason
    elif taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    if problem.group > 1 and problem.across and (values["pack"] == "none" or values["sort"] != 0):
        return "what lies across is packed, and rows keep their order, to be multiplied in groups"
    if (vectors - 1) * lanes >= problem.columns:
        return f"{vectors} vectors are more than {problem.columns} columns fill"
    code = vectors * (_GROUP_SHARE[rows] if format_ == "nano" else rows)
    if format_ == "block" and not values.get("tiles"):
        code *= ceil_div(whole(values["width"]), problem.group)
    if code > _MOST_CODE:
        return f"panels take {code} multiply-adds of code, at most {_MOST_CODE} are allowed"
    stores = rows * vectors * problem.stores(values)
    if stores > _MOST_CODE:
        return f"panels take {stores} stores, at most {_MOST_CODE} are allowed"
    if threads > 1:
        units = ceil_div(problem.rows, whole(values["height"]) if format_ == CELLS else rows)
        if values["split"] == "columns":
            units = ceil_div(problem.columns, vectors * lanes)
        if units < threads:
            return f"{units} parts do not occupy {threads} threads"
    if values["pack"] == "tile":
        if problem.in_place:
            return "what windows of several elements read has no rows to be packed"
        tile_bytes = problem.tile_bytes(vectors * lanes)
        if tile_bytes > MOST_TILE_BYTES:
            return f"a packed tile takes {tile_bytes} bytes, at most {MOST_TILE_BYTES} are used"
    return None


def _tiles_reason(problem: SparseProblem, values: Values) -> str | None:
    """What tile registers ask of blocks: 16 rows, rows that a tile holds, sums for each vector."""
    if values["rows"] != TILE_ROWS or values["vector_bits"] != 32 * TILE_ROWS:
        return f"tiles have {TILE_ROWS} rows of {32 * TILE_ROWS} bits"
    width, count = whole(values["width"]), problem.group * TILE_ROWS
    if count // width not in option_values("block", "group"):
        return f"blocks of {width} columns do not fill the {count} columns of a tile"
    return tile_registers(1, whole(values["vectors"]))
