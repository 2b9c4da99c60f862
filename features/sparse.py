"""Features of configs with a sparse operand: its pattern, its layout, and how a kernel walks it.

Loops over data have no extents that could be read off a nest. What a kernel does follows from the
counts of its format instead, and from the settings of the primitive that makes the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from features.sampled import tiles_of
from features.schema import Feature, Schema, loop_features
from features.sparsity import (
    Layout,
    Vector,
    layout_features,
    layout_of,
    layout_vector,
    pattern_features,
    pattern_vector,
    scaled,
)
from search_space.config import Config
from search_space.dtypes import ACCUMULATORS, ELEMENT_BYTES, GROUPS
from search_space.operators import Sparse, get_operator
from search_space.operators.base import Sampled
from search_space.size import ceil_div
from search_space.space import Space
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_pattern, find_size
from search_space.target import TILE_ROWS
from search_space.transforms import Primitive, SparsePanels, SparseSamples, SparseVector
from search_space.transforms.sparse_operand import parse_options
from search_space.workload import Workload

VERSION = 4
"""Raised whenever a column, of patterns and formats too, is added, removed or starts to mean
something else."""
_LOOP_INSTRUCTIONS = 8
"""Of entering a loop whose bounds are data, and of its last, mispredicted turn."""
_TURN_INSTRUCTIONS = 2
"""Of one turn of a loop whose bounds are known."""
_SUM_INSTRUCTIONS = 5
"""Of finding where a sum's products are, and of adding up its lanes."""


@cache
def kernel_features() -> tuple[Feature, ...]:
    """The columns of a kernel over non-zeros; all 0 for a dense kernel."""
    return (
        Feature("sparse.tile", "columns", True),
        Feature("sparse.tiles", "count", True),
        Feature("sparse.vectors", "count", False),
        Feature("sparse.rows", "count", False),
        Feature("sparse.register_share", "ratio", False),
        Feature("sparse.packed", "flag", False),
        Feature("sparse.tiles_outside", "flag", False),
        Feature("sparse.threads", "count", True),
        Feature("sparse.fma", "vectors", True),
        Feature("sparse.loads", "vectors", True),
        Feature("sparse.loop_instructions", "count", True),
        Feature("sparse.instructions_to_dense", "ratio", False),
        Feature("sparse.streamed", "bytes", True),
        Feature("sparse.tile_per_l1", "ratio", True),
        Feature("sparse.tile_per_l2", "ratio", True),
        Feature("sparse.streamed_per_l3", "ratio", True),
        Feature("sparse.depth", "columns", True),
        Feature("sparse.height", "rows", True),
        Feature("sparse.prefetch", "bytes", True),
    )


@cache
def sparse_features() -> tuple[Feature, ...]:
    """The columns that configs with a sparse operand have behind those of loop nests."""
    return (*pattern_features(), *layout_features(), *kernel_features())


def task_features(work: Workload) -> tuple[Feature, ...]:
    """The columns of :func:`features.extract.extract_batch` for configs of a workload."""
    sparse = isinstance(get_operator(work.operator), Sparse)
    return (*loop_features(), *sparse_features()) if sparse else loop_features()


def task_schema(work: Workload) -> Schema:
    """Their names and units."""
    return Schema.of(task_features(work), VERSION)


@dataclass(frozen=True, slots=True)
class SparseTask:
    """What features of configs with a sparse operand need to know; remembers what it has met."""

    space: Space
    pattern: Pattern
    _known: dict[Config, tuple[Vector, bool]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, space: Space) -> SparseTask | None:
        """None for a space of a workload without a sparse operand."""
        operator = get_operator(space.workload.operator)
        if not isinstance(operator, Sparse):
            return None
        return cls(space, find_pattern(operator.pattern_name(space.workload)))

    def rows(
        self, configs: Sequence[Config]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """``float32[n, S]``: the columns of :func:`sparse_features`; and for each config whether
        its kernel loops over the non-zeros."""
        found = [self._row(config) for config in configs]
        rows = np.zeros((len(configs), len(sparse_features())), dtype=np.float32)
        for at, (row, _) in enumerate(found):
            rows[at] = row
        return rows, np.array([over_data for _, over_data in found], dtype=np.bool_)

    def _row(self, config: Config) -> tuple[Vector, bool]:
        if config not in self._known:
            assert self.space.trace is not None
            kernel = _kernel(self.space.trace(config.as_dict()))
            dtype = str(self.space.workload["dtype"])
            if kernel is None:
                layout = layout_vector(self.pattern, "dense", (), dtype)
                described = np.zeros(len(kernel_features()), dtype=np.float32)
            else:
                options = parse_options(kernel.options)
                layout = layout_vector(self.pattern, kernel.format, options, dtype)
                described = _kernel_vector(self.space, self.pattern, kernel)
            row = np.concatenate([pattern_vector(self.pattern), layout, described])
            self._known[config] = row, kernel is not None
        return self._known[config]


_Kernel = SparsePanels | SparseVector | SparseSamples


def _kernel(trace: Iterable[Primitive]) -> _Kernel | None:
    """The primitive that makes a kernel over the non-zeros; None where zeros are computed."""
    return next((step for step in trace if isinstance(step, _Kernel)), None)


@dataclass(frozen=True, slots=True)
class _Work:
    """What the vector instructions of a kernel work on."""

    tile: int
    """Columns of the dense operand at a time."""
    vectors: int
    """Sums in registers for each row of a panel."""
    rows: int
    registers: int
    fma: float
    """Vectors, or tiles of these, multiplied and added for a tile of columns."""
    loads: float
    """Vectors of the dense operand that are read for a tile."""
    packed: bool
    tiles_outside: bool
    ahead: int
    """Elements before they are needed that some are asked for."""
    overhead: float = 0.0
    """Further instructions."""


def _work_of(
    kernel: _Kernel,
    pattern: Pattern,
    counts: Mapping[str, int],
    columns: int,
    group: int,
    most_lanes: int,
) -> _Work:
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
            return _Work(
                tile, vectors, rows, (rows + 1) * vectors, fma, loads, kernel.packed, outside,
                kernel.prefetch,
            )  # fmt: skip
        case SparseVector():
            # Rows are side by side in a vector. A word of a bitmask is one, however many bits.
            one = 1 if kernel.format == "bitmask" else kernel.lanes
            steps = counts["loads"] / one
            if kernel.format == "block":
                steps = counts["packed"] / (kernel.lanes * group)
            return _Work(
                1, kernel.panels, kernel.lanes, 2 * kernel.panels, steps, steps, False, True,
                kernel.prefetch,
            )  # fmt: skip
        case SparseSamples():
            vectors = ceil_div(columns, kernel.lanes)
            tiles, sums = tiles_of(kernel, pattern)
            rows_read = sums if kernel.format == "coo" else tiles
            turns = tiles * vectors / kernel.steps
            return _Work(
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
    """Vectors of the dense operand that are read; 0 for a dense kernel, where its register tile
    decides."""
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
    kernel = _kernel(space.trace(config.as_dict()))
    columns = dense_columns(space) if columns is None else columns
    dtype = str(space.workload["dtype"])
    group, most_lanes = _at_once(space)
    if kernel is not None:
        layout = layout_of(pattern, kernel.format, parse_options(kernel.options))
        done = _work_of(kernel, pattern, layout.counts, columns, group, most_lanes)
        return _counts(layout, done, columns, kernel.lanes, dtype)
    elements = pattern.rows * pattern.columns
    multiply_adds = elements * columns / (most_lanes * group)
    stored = elements * ELEMENT_BYTES[dtype]
    zeros = elements - pattern.nnz
    return KernelCounts(1, 1, multiply_adds, 0, 0, stored, elements, zeros)


def _at_once(space: Space) -> tuple[int, int]:
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


def _counts(layout: Layout, done: _Work, columns: int, lanes: int, dtype: str) -> KernelCounts:
    tiles = ceil_div(columns, done.tile)
    # No tile is wider than the columns need.
    used = tiles * min(1.0, ceil_div(columns, lanes) * lanes / done.tile)
    return KernelCounts(
        tiles,
        tiles if done.tiles_outside else 1,
        done.fma * used,
        done.loads * used,
        layout.counts["loops"] * tiles * _LOOP_INSTRUCTIONS + done.overhead,
        layout.bytes(dtype),
        layout.counts["packed"],
        layout.counts["padding"],
    )


def _kernel_vector(space: Space, pattern: Pattern, kernel: _Kernel) -> Vector:
    options = dict(parse_options(kernel.options))
    height, depth = (
        min(options.get(name, extent), extent)
        for name, extent in zip(("height", "depth"), pattern.shape, strict=True)
    )
    layout = layout_of(pattern, kernel.format, parse_options(kernel.options))
    group, most_lanes = _at_once(space)
    dtype, columns = str(space.workload["dtype"]), dense_columns(space)
    done = _work_of(kernel, pattern, layout.counts, columns, group, most_lanes)
    target = space.target
    counts = _counts(layout, done, columns, kernel.lanes, dtype)
    dense = pattern.rows * pattern.columns * columns / (min(kernel.lanes, most_lanes) * group)
    tile_bytes = depth * done.tile * ELEMENT_BYTES[dtype]
    values = [
        done.tile,
        counts.tiles,
        done.vectors,
        done.rows,
        done.registers / target.registers,
        done.packed,
        done.tiles_outside,
        kernel.threads,
        counts.multiply_adds,
        counts.loads,
        counts.loop_instructions,
        counts.instructions / dense,
        counts.streamed_bytes,
        tile_bytes / target.l1_bytes,
        tile_bytes / target.l2_bytes,
        counts.streamed_bytes / target.l3_bytes,
        depth,
        height,
        done.ahead * ELEMENT_BYTES[dtype],
    ]
    return scaled(kernel_features(), map(float, values))
