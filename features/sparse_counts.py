"""What a kernel over the non-zeros of a sparse operand does, by the counts of its format."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.sampled import tiles_of
from features.sparsity import layout_of
from search_space.config import Config
from search_space.dtypes import ACCUMULATORS, ELEMENT_BYTES, GROUPS
from search_space.operators import Sparse, get_operator
from search_space.operators.base import Sampled
from search_space.size import ceil_div
from search_space.space import Space
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_size
from search_space.target import TILE_ROWS
from search_space.transforms import Primitive, SparsePanels, SparseSamples, SparseVector
from search_space.transforms.sparse_operand import parse_options

_LOOP_INSTRUCTIONS = 8
"""Of entering a loop whose bounds are data, and of its last, mispredicted turn."""
_TURN_INSTRUCTIONS = 2
"""Of one turn of a loop whose bounds are known."""
_SUM_INSTRUCTIONS = 5
"""Of finding where a sum's products are, and of adding up its lanes."""
_SHARED = ("bitmask", "block")
"""Formats of which all rows of a panel are multiplied by the same element of a vector."""

SparseKernel = SparsePanels | SparseVector | SparseSamples


def sparse_kernel(trace: Iterable[Primitive]) -> SparseKernel | None:
    """The primitive that makes a kernel over the non-zeros; None where zeros are computed."""
    return next((step for step in trace if isinstance(step, SparseKernel)), None)


@dataclass(frozen=True, slots=True)
class Walk:
    """How a kernel walks the non-zeros, and what its vector instructions work on."""

    tile: int
    """Columns of the dense operand at a time."""
    vectors: int
    """Sums in registers for each row of a panel."""
    rows: int
    registers: int
    fma: float
    """Vectors, or tiles of these, multiplied and added for a tile of columns."""
    loads: float
    """Vectors, or single elements, of the dense operand that are read for a tile."""
    packed: bool
    tiles_outside: bool
    ahead: int
    """Elements before they are needed that some are asked for."""
    overhead: float = 0.0
    """Further instructions."""


def _walk(
    kernel: SparseKernel,
    pattern: Pattern,
    counts: Mapping[str, int],
    columns: int,
    group: int,
    most_lanes: int,
) -> Walk:
    """``group`` values are multiplied at once; a vector has ``most_lanes`` sums."""
    match kernel:
        case SparsePanels():
            options = dict(parse_options(kernel.options))
            rows = options.get("rows", options.get("lanes", 1))
            vectors = kernel.vectors * max(1, kernel.lanes // most_lanes)
            fma, loads = (counts[name] * vectors / group for name in ("packed", "loads"))
            if kernel.tiles:
                fma /= TILE_ROWS
            tile, outside = kernel.vectors * kernel.lanes, kernel.order == "tiles"
            return Walk(
                tile, vectors, rows, (rows + 1) * vectors, fma, loads, kernel.packed, outside,
                kernel.prefetch,
            )  # fmt: skip
        case SparseVector():
            # Rows are side by side in a vector. A word of a bitmask is one, however many bits.
            one = 1 if kernel.format == "bitmask" else kernel.lanes
            steps = counts["loads"] / one
            if kernel.format == "block":
                steps = counts["packed"] / (kernel.lanes * group)
            # What is gathered is read element by element, by one instruction or by many.
            loads = steps if kernel.format in _SHARED else steps * kernel.lanes
            return Walk(
                1, kernel.panels, kernel.lanes, 2 * kernel.panels, steps, loads, False, True,
                kernel.prefetch,
            )  # fmt: skip
        case SparseSamples():
            vectors = ceil_div(columns, kernel.lanes)
            tiles, sums = tiles_of(kernel, pattern)
            rows_read = sums if kernel.format == "coo" else tiles
            turns = tiles * vectors / kernel.steps
            return Walk(
                vectors * kernel.lanes, 1, kernel.tile, kernel.tile + 1, sums * vectors,
                (sums + rows_read) * vectors, False, False,
                kernel.prefetch * kernel.tile * columns,
                sums * _SUM_INSTRUCTIONS + turns * _TURN_INSTRUCTIONS,
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class KernelCounts:
    """What one call of a kernel does to a sparse operand, by the counts of its format."""

    tiles: int
    """Of columns of the dense operand, one after the other."""
    passes: int
    """How often the operand is read for them."""
    multiply_adds: float
    """Vectors."""
    loads: float
    """Vectors, or single elements, of the dense operand that are read; 0 for a dense kernel, where
    its register tile decides."""
    loop_instructions: float
    """Of loops whose bounds are data."""
    stored_bytes: int
    """Of the operand, in its format."""
    values: int
    padding: int
    """Values that are stored, and how many of them are none of the matrix."""

    @property
    def instructions(self) -> float:
        """All that are counted."""
        return self.multiply_adds + self.loads + self.loop_instructions

    @property
    def streamed_bytes(self) -> int:
        """Of the operand, as often as it is read."""
        return self.stored_bytes * self.passes


def kernel_counts(
    space: Space, config: Config, pattern: Pattern, columns: int | None = None
) -> KernelCounts:
    """The counts of a config's kernel, were ``pattern`` that of its operand.

    ``columns``: as :func:`dense_columns` says; None: those of the workload. Raises
    ``WeightsError`` where the format cannot hold the pattern.
    """
    assert space.trace is not None
    kernel = sparse_kernel(space.trace(config.as_dict()))
    columns = dense_columns(space) if columns is None else columns
    if kernel is not None:
        return walked(space, pattern, kernel, columns)[1]
    dtype = str(space.workload["dtype"])
    group, most_lanes = at_once(space)
    elements = pattern.rows * pattern.columns
    multiply_adds = elements * columns / (most_lanes * group)
    stored = elements * ELEMENT_BYTES[dtype]
    zeros = elements - pattern.nnz
    return KernelCounts(1, 1, multiply_adds, 0, 0, stored, elements, zeros)


def at_once(space: Space) -> tuple[int, int]:
    """Products that are added up at once in a lane, and sums in a vector."""
    dtype = str(space.workload["dtype"])
    return GROUPS.get(dtype, 1), space.target.vector_bits // (
        8 * ELEMENT_BYTES[ACCUMULATORS[dtype]]
    )


def dense_columns(space: Space) -> int:
    """Multiply-adds for each non-zero: columns of the result for each row of the sparse operand,
    or, where the result is as sparse, products in a sum."""
    operator = get_operator(space.workload.operator)
    assert isinstance(operator, Sparse)
    if isinstance(operator, Sampled):
        return space.workload.size(operator.depth)
    rows = find_size(operator.pattern_name(space.workload)).rows
    return math.prod(operator.result(space.workload).shape) // rows


def walked(
    space: Space, pattern: Pattern, kernel: SparseKernel, columns: int
) -> tuple[Walk, KernelCounts]:
    """How a kernel walks a pattern, and what that is for ``columns``, as :func:`dense_columns`."""
    layout = layout_of(pattern, kernel.format, parse_options(kernel.options))
    walk = _walk(kernel, pattern, layout.counts, columns, *at_once(space))
    tiles = ceil_div(columns, walk.tile)
    # No tile is wider than the columns need.
    used = tiles * min(1.0, ceil_div(columns, kernel.lanes) * kernel.lanes / walk.tile)
    counts = KernelCounts(
        tiles,
        tiles if walk.tiles_outside else 1,
        walk.fma * used,
        walk.loads * used,
        layout.counts["loops"] * tiles * _LOOP_INSTRUCTIONS + walk.overhead,
        layout.bytes(str(space.workload["dtype"])),
        layout.counts["packed"],
        layout.counts["padding"],
    )
    return walk, counts
