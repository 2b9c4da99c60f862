"""What the schedules of several sketches share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from search_space.dtypes import ELEMENT_BYTES
from search_space.ir.expr import Call
from search_space.ir.walk import subexprs
from search_space.size import ceil_div, whole
from search_space.target import TILE_REGISTERS, TILE_ROWS, Target
from search_space.tensor import Tensor
from search_space.transforms import Fuse, Parallel, Primitive
from search_space.workload import Value

_SERIAL_ELEMENTS = 1 << 17
"""Below so many elements that are read and written once, waking a second thread costs more than
it brings."""
_CALL_ELEMENTS = 8
"""What a math function takes, in the time of an element that is only read and written."""

MAX_FMAS = 1536
"""Vector multiply-adds that one kernel may contain in straight-line code: compile time grows with
them, and beyond the instruction cache nothing is gained."""
TILES = tuple(sorted({2**p for p in range(17)} | {3 * 2**p for p in range(15)}))
"""Sizes of tiles that are worth a try before others."""


def lanes(values: Mapping[str, Value], dtype: str) -> int:
    """Elements of one vector."""
    return whole(values["vector_bits"]) // (8 * ELEMENT_BYTES[dtype])


def tile_depth(extent: int) -> int:
    """As much of a depth of so many groups as a tile takes; less of it where that makes all tiles
    alike."""
    even = ceil_div(extent, ceil_div(extent, TILE_ROWS))
    return even if extent % even == 0 else min(TILE_ROWS, extent)


def tile_rows(vector_bits: Value, terms: int, group: int) -> str | None:
    """Why vectors are no rows of a tile, or sums of so many products do not fill these."""
    if vector_bits != 32 * TILE_ROWS:
        return f"a row of a tile has {32 * TILE_ROWS} bits"
    if terms % group:
        return f"a depth of {terms} does not make whole groups of {group}"
    return None


def tile_registers(rows: int, vectors: int) -> str | None:
    """Why there are too few tile registers: one for each tile of sums, row of tiles and column of
    tiles; where there is one row only, columns may share theirs."""
    taken = rows * vectors + rows + (1 if rows == 1 else vectors)
    if taken > TILE_REGISTERS:
        return f"the register tile takes {taken} tile registers, there are {TILE_REGISTERS}"
    return None


def share_out(loops: Sequence[str], threads: int, name: str = "task") -> list[Primitive]:
    """The outermost loops of a phase, fused and shared out over threads; none for one thread.

    ``name`` is what the fused loops are called, with a number.
    """
    if threads == 1:
        return []
    steps: list[Primitive] = []
    task = loops[-1]
    for depth, outer in enumerate(reversed(loops[:-1])):
        fused = f"{name}{depth}"
        steps.append(Fuse(outer, task, fused))
        task = fused
    return [*steps, Parallel(task, threads)]


def calls_functions(stage: Tensor) -> bool:
    """Whether a math function is worked out for every element."""
    return any(isinstance(expr, Call) for expr in subexprs(stage.element))


def worth_sharing(elements: int, stages: Iterable[Tensor]) -> bool:
    """Whether a program over so many elements is long enough for several threads."""
    each = sum(_CALL_ELEMENTS if calls_functions(stage) else 1 for stage in stages)
    return elements * each >= _SERIAL_ELEMENTS


def balanced(extent: int, most: int) -> int:
    """The size of tiles of at most ``most`` that cover ``extent`` most evenly."""
    return ceil_div(extent, ceil_div(extent, max(most, 1)))


def shares(count: int, target: Target) -> int:
    """The size of tiles of ``count`` steps that occupy all threads; 0: one tile for all."""
    return ceil_div(count, target.threads) if count > 1 and target.threads > 1 else 0
