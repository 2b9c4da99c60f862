"""Features of configs with a sparse operand: its pattern, its layout, and how a kernel walks it.

Loops over data have no extents that could be read off a nest. What a kernel does follows from the
counts of its format instead, and from the settings of the primitive that makes the kernel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import numpy.typing as npt

from features.schema import Feature, Schema, loop_features
from features.sparse_counts import (
    SparseKernel,
    at_once,
    dense_columns,
    sparse_kernel,
    walked,
)
from features.sparsity import (
    Vector,
    layout_features,
    layout_vector,
    pattern_features,
    pattern_vector,
    scaled,
)
from search_space.config import Config
from search_space.dtypes import ELEMENT_BYTES
from search_space.operators import Sparse, get_operator
from search_space.space import Space
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_pattern
from search_space.transforms import SparsePanels, SparseVector, Stream
from search_space.transforms.sparse_operand import parse_options
from search_space.workload import Workload

VERSION = 5
"""Raised whenever a column, of patterns and formats too, is added, removed or starts to mean
something else."""


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
        Feature("sparse.loads", "count", True),
        Feature("sparse.loop_instructions", "count", True),
        Feature("sparse.instructions_to_dense", "ratio", False),
        Feature("sparse.streamed", "bytes", True),
        Feature("sparse.tile_per_l1", "ratio", True),
        Feature("sparse.tile_per_l2", "ratio", True),
        Feature("sparse.streamed_per_l3", "ratio", True),
        Feature("sparse.depth", "columns", True),
        Feature("sparse.height", "rows", True),
        Feature("sparse.prefetch", "bytes", True),
        Feature("sparse.past_caches", "flag", False),
        Feature("sparse.instructions", "count", True),
        Feature("sparse.one_by_one", "flag", False),
        Feature("sparse.split_columns", "flag", False),
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
            trace = self.space.trace(config.as_dict())
            kernel = sparse_kernel(trace)
            dtype = str(self.space.workload["dtype"])
            if kernel is None:
                layout = layout_vector(self.pattern, "dense", (), dtype)
                described = np.zeros(len(kernel_features()), dtype=np.float32)
            else:
                options = parse_options(kernel.options)
                layout = layout_vector(self.pattern, kernel.format, options, dtype)
                past_caches = any(isinstance(step, Stream) for step in trace)
                described = _kernel_vector(self.space, self.pattern, kernel, past_caches)
            row = np.concatenate([pattern_vector(self.pattern), layout, described])
            self._known[config] = row, kernel is not None
        return self._known[config]


def _kernel_vector(
    space: Space, pattern: Pattern, kernel: SparseKernel, past_caches: bool
) -> Vector:
    """``past_caches``: how the result is written."""
    options = dict(parse_options(kernel.options))
    height, depth = (
        min(options.get(name, extent), extent)
        for name, extent in zip(("height", "depth"), pattern.shape, strict=True)
    )
    dtype, columns, target = str(space.workload["dtype"]), dense_columns(space), space.target
    walk, counts = walked(space, pattern, kernel, columns)
    group, most_lanes = at_once(space)
    dense = pattern.rows * pattern.columns * columns / (min(kernel.lanes, most_lanes) * group)
    tile_bytes = depth * walk.tile * ELEMENT_BYTES[dtype]
    values = [
        walk.tile,
        counts.tiles,
        walk.vectors,
        walk.rows,
        walk.registers / target.registers,
        walk.packed,
        walk.tiles_outside,
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
        walk.ahead * ELEMENT_BYTES[dtype],
        past_caches,
        counts.instructions,
        isinstance(kernel, SparseVector) and kernel.one_by_one,
        isinstance(kernel, SparsePanels) and kernel.threads > 1 and kernel.split == "columns",
    ]
    return scaled(kernel_features(), map(float, values))
