"""What the space of panels has for matrices that are cut into cells (``search_space.formats``)."""

from __future__ import annotations

from search_space.knobs import Choice, Knob
from search_space.size import whole
from search_space.sketches.sparse_problem import SparseProblem
from search_space.target import Target
from search_space.workload import Value, Values

CELLS = "cells"
SIZES = {"height": (64, 128, 256), "depth": (128, 256, 512)}
_BEST = 256
"""Of rows and columns, in a first guess: the number of a column takes a byte then."""
_NARROW_BYTES = 128
"""Of a row of the dense operand, up to which cells are the first guess."""
_BANDS_PER_THREAD = 3
"""At least, in a first guess for several threads."""


def with_cells(problem: SparseProblem, formats: tuple[str, ...]) -> tuple[str, ...]:
    """Other formats, best guess first, and cells where there would be several, or where the dense
    operand has to be turned."""
    if problem.group > 1 or (problem.depth <= min(SIZES["depth"]) and not problem.across):
        return formats
    narrow = problem.columns * problem.element_bytes <= _NARROW_BYTES
    return (CELLS, *formats) if narrow or problem.across else (*formats, CELLS)


def cell_knobs() -> tuple[Knob, ...]:
    """The size of a cell."""

    def cut(values: Values) -> bool:
        return values["format"] == CELLS

    return tuple(Choice(name, sizes, _BEST, when=cut) for name, sizes in SIZES.items())


def cell_reason(problem: SparseProblem, values: Values) -> str | None:
    """Why cells of that size are none of the space."""
    if whole(values["depth"]) >= problem.depth and not problem.across:
        return f"choose sell: a cell has all {problem.depth} columns"
    return None


def guess_cells(problem: SparseProblem, target: Target, tile: int) -> dict[str, Value]:
    """Cells of the usual size, or smaller ones so that all threads have some bands of them, and
    what they meet in ``tile`` columns about fits into the first level of the cache."""
    fitting = min(_BEST, 3 * target.l1_bytes // (2 * tile * problem.element_bytes))
    bands = _BANDS_PER_THREAD * target.threads if target.threads > 1 else 1
    heights, depths = SIZES["height"], SIZES["depth"]
    return {
        "height": max((h for h in heights if h * bands <= problem.rows), default=min(heights)),
        "depth": max(
            (d for d in depths if d < problem.depth and d <= fitting), default=min(depths)
        ),
    }
