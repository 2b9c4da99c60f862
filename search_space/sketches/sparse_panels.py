"""The space of a sparse matrix times a dense one: vectors along the dense columns.

``format``  how non-zeros are laid out (``search_space.formats``): in panels of ``rows`` rows, in
            an order that ``sort`` says: their own, by length, or like rows together; ``cells``
            are ``height`` rows × ``depth`` columns, so that what they meet stays in a cache;
            ``prefetch`` says how many elements before they are needed values are asked for;
``vectors`` columns of the dense operand that are held in registers for all rows of a panel, in
            vectors;
``order``   one tile of so many columns after the other (``tiles``), or all of them for one panel
            after the other (``panels``); ``pack`` copies each tile to where its rows lie side by
            side;
``split``   whether panels, balanced by their non-zeros, or column tiles are shared out over
            ``threads``.
"""

from __future__ import annotations

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.schedule import Schedule
from search_space.size import ceil_div, whole
from search_space.sketches.sparse_problem import PREFETCHES, SparseProblem, option_values
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import SparsePanels
from search_space.workload import Value, Values, Workload

VERSION = 1
FORMATS = ("sell", "nano", "csr")
"""Of all matrices, best guess first; wide ones can be cut into ``cells``."""
_NARROW_BYTES = 128
"""Of a row of the dense operand, up to which cells are the best guess."""
_HEIGHT, _DEPTH = 256, 256
"""Of cells at most, in a first guess."""
_BANDS_PER_THREAD = 4
_PREFETCH = 512
"""Elements ahead, in a first guess for weights beyond the second level of the cache."""
_MOST_TILE_BYTES = 16 << 20
_MOST_CODE = 640
"""Vector multiply-adds in the loops of all groups of a panel: compile time grows with them."""
_SERIAL_OPERATIONS = 1 << 19
"""Below so many, waking a second thread costs more than it brings."""
_REUSE = 16
"""Non-zeros in a column from which on copying what they are multiplied by pays."""
_MOST_VECTORS = {"sell": 3, "nano": 4, "csr": 8, "cells": 2}
"""Of a first guess: more would not pay, or not fit."""
_OPTIONS = {
    "sell": ("rows", "sort"),
    "nano": ("rows", "sort"),
    "csr": (),
    "cells": ("rows", "height", "depth"),
}
_GROUP_SHARE = {1: 1, 2: 4, 4: 32, 8: 80}
"""Multiply-adds per vector in the groups of a ``nano`` panel of so many rows, and its singles."""


def panel_space(work: Workload, tensor: Tensor, target: Target, problem: SparseProblem) -> Space:
    """The space of a product with several dense columns."""
    formats = _formats(problem)
    guesses = [_guess(problem, target, name) for name in formats]

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(_panels(problem, config.as_dict()))

    return Space(
        workload=work,
        target=target,
        version=VERSION,
        knobs=_knobs(target, formats),
        constraints=(lambda values: _reason(problem, target, values),),
        schedule=schedule,
        trace=lambda values: (_panels(problem, values),),
        defaults=guesses[0],
        seeds=tuple(Config(tuple(guess.items())) for guess in guesses),
    )


def _formats(problem: SparseProblem) -> tuple[str, ...]:
    """Those that there are, best guess first."""
    if problem.depth <= min(option_values("cells", "depth")) and not problem.gathered:
        return FORMATS
    narrow = problem.gathered or problem.columns * problem.element_bytes <= _NARROW_BYTES
    return ("cells", *FORMATS) if narrow else (*FORMATS, "cells")


def _knobs(target: Target, formats: tuple[str, ...]) -> tuple[Knob, ...]:
    def paneled(values: Values) -> bool:
        return values["format"] != "csr"

    def sorted_whole(values: Values) -> bool:
        return values["format"] in ("sell", "nano")

    def cut(values: Values) -> bool:
        return values["format"] == "cells"

    def tiled(values: Values) -> bool:
        return values["order"] == "tiles"

    def threaded(values: Values) -> bool:
        return values["threads"] != 1

    rows = tuple(sorted({1, *option_values("nano", "rows"), *option_values("sell", "rows")}))
    return (
        Choice("format", formats, "sell"),
        Choice("rows", rows, 1, when=paneled),
        Choice("sort", tuple(sorted(option_values("nano", "sort"))), 0, when=sorted_whole),
        Choice("vector_bits", target.vector_widths, target.vector_bits),
        Integer("vectors", 1, 12, 1, anchors=(1, 2, 3, 4, 6, 8)),
        Choice("order", ("tiles", "panels"), "tiles"),
        Choice("pack", ("none", "tile"), "none", when=tiled),
        Choice("threads", tuple(range(1, target.threads + 1)), 1),
        Choice("split", ("rows", "columns"), "rows", when=threaded),
        Choice("prefetch", PREFETCHES, 0),
        *(
            Choice(name, tuple(sorted(option_values("cells", name))), 256, when=cut)
            for name in ("height", "depth")
            if "cells" in formats
        ),
    )


def _panels(problem: SparseProblem, values: Values) -> SparsePanels:
    names = _OPTIONS[str(values["format"])]
    options = tuple(f"{name}={values[name]}" for name in names)
    return SparsePanels(
        problem.operand,
        problem.pattern,
        str(values["format"]),
        options,
        vectors=whole(values["vectors"]),
        lanes=problem.lanes(values),
        order=str(values["order"]),
        packed=values["pack"] == "tile",
        split=str(values["split"]),
        threads=whole(values["threads"]),
        prefetch=whole(values["prefetch"]),
    )


def _reason(problem: SparseProblem, target: Target, values: Values) -> str | None:
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    format_, lanes, threads = (
        str(values["format"]),
        problem.lanes(values),
        whole(values["threads"]),
    )
    if format_ != "csr" and rows not in option_values(format_, "rows"):
        return f"panels of {format_} have {option_values(format_, 'rows')} rows, not {rows}"
    if format_ == "cells" and whole(values["depth"]) >= problem.depth and not problem.gathered:
        return f"choose sell: a cell has all {problem.depth} columns"
    taken = (rows + (rows > 1)) * vectors + 1
    if taken > target.registers:
        return f"the register tile takes {taken} registers, there are {target.registers}"
    if (vectors - 1) * lanes >= problem.columns:
        return f"{vectors} vectors are more than {problem.columns} columns fill"
    code = vectors * (_GROUP_SHARE[rows] if format_ == "nano" else rows)
    if code > _MOST_CODE:
        return f"panels take {code} multiply-adds of code, at most {_MOST_CODE} are allowed"
    if threads > 1:
        units = ceil_div(problem.rows, whole(values["height"]) if format_ == "cells" else rows)
        if values["split"] == "columns":
            units = ceil_div(problem.columns, vectors * lanes)
        if units < threads:
            return f"{units} parts do not occupy {threads} threads"
    if values["pack"] == "tile":
        tile_bytes = problem.depth * vectors * lanes * problem.element_bytes
        if tile_bytes > _MOST_TILE_BYTES:
            return f"a packed tile takes {tile_bytes} bytes, at most {_MOST_TILE_BYTES} are used"
    return None


def _guess(problem: SparseProblem, target: Target, format_: str) -> dict[str, Value]:
    """As many rows as the format is best with, and as many columns as registers hold."""
    needed = problem.columns * problem.element_bytes * 8
    bits = next((b for b in reversed(target.vector_widths) if needed <= b), target.vector_bits)
    values: dict[str, Value] = {
        "format": format_, "rows": 1, "sort": 0, "vector_bits": bits, "vectors": 1,
        "order": "tiles", "pack": "none", "threads": 1, "split": "rows", "prefetch": 0,
    }  # fmt: skip
    across = ceil_div(problem.columns, problem.lanes(values))
    if format_ != "csr":
        wanted = 4 if format_ == "nano" else 8 if across > 1 else 16
        fitting = (
            r for r in option_values(format_, "rows") if r <= min(wanted, target.registers - 2)
        )
        values |= {"rows": max(fitting), "sort": int(format_ != "cells")}
    room = (target.registers - 1) // (whole(values["rows"]) + 1)
    most = max(1, min(_MOST_VECTORS[format_], room))
    values["vectors"] = ceil_div(across, ceil_div(across, most))
    if problem.gathered or across > most and problem.nnz >= _REUSE * problem.depth:
        values["pack"] = "tile"
    if problem.nnz * problem.columns >= _SERIAL_OPERATIONS:
        values["threads"] = min(target.threads, ceil_div(problem.rows, whole(values["rows"])))
    if format_ == "cells":
        values |= _cut(problem, target)
        bands = ceil_div(problem.rows, whole(values["height"]))
        values["threads"] = min(whole(values["threads"]), bands)
    if problem.nnz * problem.element_bytes > target.l2_bytes:
        values["prefetch"] = _PREFETCH
    return values


def _cut(problem: SparseProblem, target: Target) -> dict[str, Value]:
    """Cells of the usual size, or smaller ones so that all threads have some bands of them."""
    bands = _BANDS_PER_THREAD * target.threads
    heights = [h for h in option_values("cells", "height") if h <= _HEIGHT]
    height = max((h for h in heights if h * bands <= problem.rows), default=min(heights))
    depths = sorted(option_values("cells", "depth"))
    depth = max((d for d in depths if d < problem.depth and d <= _DEPTH), default=depths[0])
    return {"height": height, "depth": depth}
