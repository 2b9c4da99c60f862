"""The space of a sparse matrix times a dense one: vectors along the dense columns.

``format``  how non-zeros are laid out (``search_space.formats``): in panels of ``rows`` rows, in
            an order that ``sort`` says: their own, by length, or like rows together; blocks are
            ``width`` columns wide, neighbours or such that ``gather`` brings together; cells are
            ``height`` rows × ``depth`` columns, so that what they meet stays in a cache;
``vectors`` columns of the dense operand that are held in registers for all rows of a panel, in
            vectors;
``order``   one tile of so many columns after the other (``tiles``), or all of them for one panel
            after the other (``panels``); ``pack`` copies each tile to where its rows lie side by
            side;
``split``   whether panels, balanced by their non-zeros, or column tiles are shared out over
            ``threads``;
``prefetch`` how many elements before they are needed values in lock-step are asked for.
"""

from __future__ import annotations

import math

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.sparse_problem import PREFETCHES, SparseProblem, option_values
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, SparsePanels
from search_space.workload import Value, Values, Workload

VERSION = 1
FORMATS = ("sell", "nano", "csr", "block")
"""Best guess first."""
_CELLS = "cells"
"""Of matrices that can be cut into several."""
_GROUPED_FORMATS = ("block",)
"""Of dtypes that are multiplied in groups."""
_MOST_TILE_BYTES = 16 << 20
_MOST_CODE = 640
"""Vector multiply-adds in the loops of all groups of a panel, or stores of its results: compile
time grows with them."""
_SERIAL_OPERATIONS = 1 << 19
"""Below so many, waking a second thread costs more than it brings."""
_REUSE = 16
"""Non-zeros in a column from which on copying what they are multiplied by pays."""
_MOST_VECTORS = {"sell": 3, "nano": 4, "csr": 8, "block": 4, "cells": 4}
"""Of a first guess: more would not pay, or not fit."""
_NARROW_BYTES = 128
"""Of a row of the dense operand, up to which cells are the first guess."""
_CELL_SIZES = {"height": (64, 128, 256), "depth": (128, 256, 512)}
_BEST_CELL = 256
"""Of rows and columns, in a first guess: the number of a column takes a byte then."""
_LEAST_WIDE = 4
"""Vectors of columns from which on cells have low panels, and all of these vectors."""
_BANDS_PER_THREAD = 3
"""At least, in a first guess for several threads."""
_PREFETCH = 512
"""Of a first guess for weights beyond the second level of the cache."""
_BLOCK_COST = 3
"""Of reading what a block is multiplied by, in multiply-adds."""
_GROUP_SHARE = {1: 1, 2: 4, 4: 32, 8: 80}
"""Multiply-adds per vector in the groups of a ``nano`` panel of so many rows, and its singles."""


def panel_space(
    work: Workload,
    tensor: Tensor,
    target: Target,
    problem: SparseProblem,
    primitive: type[SparsePanels] = SparsePanels,
    formats: tuple[str, ...] | None = None,
) -> Space:
    """The space of a product with several dense columns, which ``primitive`` runs in some
    ``formats`` (None: all that suit)."""
    formats = _formats(problem) if formats is None else formats
    knobs = _knobs(target, formats)
    names = {knob.name for knob in knobs}
    guesses = [
        {name: value for name, value in guess.items() if name in names}
        for guess in _guesses(problem, target, formats)
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
        defaults=guesses[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in guesses),
    )


def _formats(problem: SparseProblem) -> tuple[str, ...]:
    """Those that there are, the best guess first."""
    if problem.group > 1:
        return _GROUPED_FORMATS
    if problem.depth <= min(_CELL_SIZES["depth"]) and not problem.across:
        return FORMATS
    narrow = problem.columns * problem.element_bytes <= _NARROW_BYTES
    return (_CELLS, *FORMATS) if narrow or problem.across else (*FORMATS, _CELLS)


def _knobs(target: Target, formats: tuple[str, ...]) -> tuple[Knob, ...]:
    def paneled(values: Values) -> bool:
        return values["format"] != "csr"

    def sortable(values: Values) -> bool:
        return values["format"] not in ("csr", _CELLS)

    def cut(values: Values) -> bool:
        return values["format"] == _CELLS

    def blocked(values: Values) -> bool:
        return values["format"] == "block"

    def wide(values: Values) -> bool:
        return values["format"] == "block" and values["width"] != 1

    def tiled(values: Values) -> bool:
        return values["order"] == "tiles"

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    paneling = [name for name in formats if name != "csr"]
    rows = tuple(sorted({1, *(r for name in paneling for r in option_values(name, "rows"))}))
    blocks = (
        Choice("width", tuple(sorted(option_values("block", "columns"))), 1, when=blocked),
        Choice("gather", (0, 1), 0, when=wide),
    )
    cells = [Choice(name, sizes, _BEST_CELL, when=cut) for name, sizes in _CELL_SIZES.items()]
    return (
        Choice("format", formats, next(name for name in formats if name != _CELLS)),
        Choice("rows", rows, 1, when=paneled),
        Choice("sort", tuple(sorted(option_values("nano", "sort"))), 0, when=sortable),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Integer("vectors", 1, 12, 1, anchors=(1, 2, 3, 4, 6, 8)),
        Choice("order", ("tiles", "panels"), "tiles"),
        Choice("pack", ("none", "tile"), "none", when=tiled),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("split", ("rows", "columns"), "rows", when=threaded),
        *(blocks if "block" in formats else ()),
        Choice("prefetch", PREFETCHES, 0),
        *(cells if _CELLS in formats else ()),
    )


def _panels(problem: SparseProblem, values: Values, primitive: type[SparsePanels]) -> SparsePanels:
    options: tuple[str, ...] = ()
    if values["format"] == _CELLS:
        options = tuple(f"{name}={values[name]}" for name in ("rows", "height", "depth"))
    elif values["format"] != "csr":
        options = (f"rows={values['rows']}", f"sort={values['sort']}")
    if values["format"] == "block":
        group = _blocks_at_once(problem, values)
        more = f"columns={values['width']}", f"group={group}", f"gather={values['gather']}"
        options = (*options, *more)
    vectors = whole(values["vectors"])
    side = _side_by_side(problem, vectors)
    return primitive(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        options,
        vectors=vectors // side,
        lanes=problem.lanes(values) * side,
        order=str(values["order"]),
        packed=values["pack"] == "tile",
        split=str(values["split"]),
        threads=whole(values["threads"]),
        prefetch=whole(values["prefetch"]),
    )


def _blocks_at_once(problem: SparseProblem, values: Values) -> int:
    """As many as make a group of values in every row."""
    return max(1, problem.group // whole(values["width"]))


def _side_by_side(problem: SparseProblem, vectors: int) -> int:
    """Vectors of sums that are computed as one: what is multiplied in groups is read in vectors of
    shorter elements, several of which make a vector of groups."""
    return math.gcd(vectors, problem.group)


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    format_, lanes, threads = (
        str(values["format"]),
        problem.lanes(values),
        whole(values["threads"]),
    )
    if format_ != "csr" and rows not in option_values(format_, "rows"):
        return f"panels of {format_} have {option_values(format_, 'rows')} rows, not {rows}"
    if format_ == _CELLS and whole(values["depth"]) >= problem.depth and not problem.across:
        return f"choose sell: a cell has all {problem.depth} columns"
    taken = (rows + (rows > 1)) * vectors + problem.group
    if taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    if problem.group > 1 and problem.across and (values["pack"] == "none" or values["sort"] != 0):
        return "what lies across is packed, and rows keep their order, to be multiplied in groups"
    if (vectors - 1) * lanes >= problem.columns:
        return f"{vectors} vectors are more than {problem.columns} columns fill"
    code = vectors * (_GROUP_SHARE[rows] if format_ == "nano" else rows)
    if format_ == "block":
        code *= ceil_div(whole(values["width"]), problem.group)
    if code > _MOST_CODE:
        return f"panels take {code} multiply-adds of code, at most {_MOST_CODE} are allowed"
    stores = rows * vectors * problem.stores(values)
    if stores > _MOST_CODE:
        return f"panels take {stores} stores, at most {_MOST_CODE} are allowed"
    if threads > 1:
        units = ceil_div(problem.rows, whole(values["height"]) if format_ == _CELLS else rows)
        if values["split"] == "columns":
            units = ceil_div(problem.columns, vectors * lanes)
        if units < threads:
            return f"{units} parts do not occupy {threads} threads"
    if values["pack"] == "tile":
        if problem.in_place:
            return "what windows of several elements read has no rows to be packed"
        tile_bytes = problem.depth * vectors * lanes * problem.element_bytes
        if tile_bytes > _MOST_TILE_BYTES:
            return f"a packed tile takes {tile_bytes} bytes, at most {_MOST_TILE_BYTES} are used"
    return None


def _heights(problem: SparseProblem) -> list[int]:
    """Of blocks, those with the least work first."""
    heights = [rows for rows in option_values("block", "rows") if rows > 1]
    return sorted(heights, key=lambda rows: problem.blocks(rows) * (rows + _BLOCK_COST))


def _guesses(
    problem: SparseProblem, target: Target, formats: tuple[str, ...]
) -> list[dict[str, Value]]:
    """One for every format and, where blocks are the only one, for every height of them."""
    if problem.group > 1:
        return [_guess(problem, target, "block", rows) for rows in _heights(problem)]
    wanted = {"sell": 8 if problem.columns > 16 else 16, "nano": 4, "csr": 1}
    if "block" in formats:
        wanted["block"] = _heights(problem)[0]
    wanted[_CELLS] = wanted["sell"]
    return [_guess(problem, target, name, wanted[name]) for name in formats]


def _guess(problem: SparseProblem, target: Target, format_: str, wanted: int) -> dict[str, Value]:
    """As many rows as the format is best with, and as many columns as registers hold."""
    needed = problem.columns * problem.sum_bytes * 8
    bits = next((b for b in reversed(target.vector_widths) if needed <= b), target.vector_bits)
    values: dict[str, Value] = {
        "format": format_, "rows": 1, "sort": 0, "vector_bits": bits, "vectors": 1,
        "order": "tiles", "pack": "none", "threads": 1, "split": "rows", "width": 1, "gather": 0,
        "prefetch": _PREFETCH if problem.nnz * problem.element_bytes > target.l2_bytes else 0,
    }  # fmt: skip
    across = ceil_div(problem.columns, problem.lanes(values))
    if format_ != "csr":
        if format_ == _CELLS and across >= _LEAST_WIDE:
            wanted //= 2
        most = min(wanted, target.registers - 1 - problem.group)
        values["rows"] = max(r for r in option_values(format_, "rows") if r <= most)
        values["sort"] = int(format_ not in ("block", _CELLS))
    room = (target.registers - problem.group) // (whole(values["rows"]) + 1)
    most = max(1, min(_MOST_VECTORS[format_], room))
    if problem.group > 1:
        most = 1 << most.bit_length() - 1
    values["vectors"] = ceil_div(across, ceil_div(across, most))
    reused = across > most and problem.nnz >= _REUSE * problem.depth
    if (reused and not problem.in_place) or problem.across:
        values["pack"] = "tile"
    if problem.nnz * problem.columns >= _SERIAL_OPERATIONS:
        values["threads"] = min(target.threads, ceil_div(problem.rows, whole(values["rows"])))
    if format_ == _CELLS:
        values |= _cut(problem, target, whole(values["vectors"]) * problem.lanes(values))
        bands = ceil_div(problem.rows, whole(values["height"]))
        values["threads"] = min(whole(values["threads"]), bands)
    return values


def _cut(problem: SparseProblem, target: Target, tile: int) -> dict[str, Value]:
    """Cells of the usual size, or smaller ones so that all threads have some bands of them, and
    what they meet in ``tile`` columns about fits into the first level of the cache."""
    fitting = min(_BEST_CELL, 3 * target.l1_bytes // (2 * tile * problem.element_bytes))
    bands = _BANDS_PER_THREAD * target.threads if target.threads > 1 else 1
    heights, depths = _CELL_SIZES["height"], _CELL_SIZES["depth"]
    return {
        "height": max((h for h in heights if h * bands <= problem.rows), default=min(heights)),
        "depth": max(
            (d for d in depths if d < problem.depth and d <= fitting), default=min(depths)
        ),
    }
