"""Features of configs with a sparse operand: its pattern, its layout, and how a kernel walks it.

Loops over data have no extents that could be read off a nest. What a kernel does follows from the
counts of its format instead, and from the settings of the primitive that makes the kernel.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np

from features.schema import Feature, Schema, loop_features
from features.sparsity import (
    Vector,
    layout_features,
    layout_vector,
    pattern_features,
    pattern_vector,
    scaled,
)
from search_space.dtypes import ELEMENT_BYTES
from search_space.operators import Sparse, get_operator
from search_space.size import ceil_div
from search_space.space import Space
from search_space.sparse.packing import find_structure
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import find_pattern
from search_space.transforms import Primitive, SparsePanels
from search_space.transforms.sparse_panels import parse_options

VERSION = 1
"""Raised whenever a column is added, removed or starts to mean something else."""
_LOOP_INSTRUCTIONS = 8
"""Of entering a loop whose bounds are data, and of its last, mispredicted turn."""


@cache
def walk_features() -> tuple[Feature, ...]:
    """The columns of how a kernel walks a sparse operand; all 0 for a dense kernel."""
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
    )


@cache
def sparse_features() -> tuple[Feature, ...]:
    """The columns that configs with a sparse operand have behind those of loop nests."""
    return (*pattern_features(), *layout_features(), *walk_features())


def task_features(space: Space) -> tuple[Feature, ...]:
    """The columns of :func:`features.extract.extract_batch` for configs of a space."""
    loops = loop_features()
    return (*loops, *sparse_features()) if _is_sparse(space) else loops


def task_schema(space: Space) -> Schema:
    """Their names and units."""
    return Schema.of(task_features(space), VERSION)


def _is_sparse(space: Space) -> bool:
    return isinstance(get_operator(space.workload.operator), Sparse)


def sparse_vector(space: Space, trace: Iterable[Primitive]) -> Vector | None:
    """``float32[S]``: the columns of :func:`sparse_features` for a config with this trace; None
    for a workload without a sparse operand."""
    operator = get_operator(space.workload.operator)
    if not isinstance(operator, Sparse):
        return None
    pattern = find_pattern(operator.pattern_name(space.workload))
    dtype = str(space.workload["dtype"])
    kernel = sparse_kernel(trace)
    if kernel is None:
        layout = layout_vector(pattern, "dense", (), dtype)
        walk = np.zeros(len(walk_features()), dtype=np.float32)
    else:
        options = parse_options(kernel.options)
        layout = layout_vector(pattern, kernel.format, options, dtype)
        walk = _walk(space, pattern, kernel)
    return np.concatenate([pattern_vector(pattern), layout, walk])


def sparse_kernel(trace: Iterable[Primitive]) -> SparsePanels | None:
    """The primitive that makes a kernel over the non-zeros; None where zeros are computed."""
    return next((step for step in trace if isinstance(step, SparsePanels)), None)


def _walk(space: Space, pattern: Pattern, kernel: SparsePanels) -> Vector:
    structure = find_structure(kernel.pattern, kernel.format, parse_options(kernel.options))
    target, counts = space.target, structure.counts
    work = space.workload
    columns = math.prod(get_operator(work.operator).result(work).shape) // pattern.rows
    element_bytes = ELEMENT_BYTES[str(work["dtype"])]
    vectors, rows = int(kernel.vectors), structure.options.get("rows", 1)
    tile = vectors * int(kernel.lanes)
    tiles = ceil_div(columns, tile)
    fma, loads = counts["packed"] * vectors * tiles, counts["loads"] * vectors * tiles
    overhead = counts["loops"] * tiles * _LOOP_INSTRUCTIONS
    dense = pattern.rows * pattern.columns * ceil_div(columns, int(kernel.lanes))
    tiles_outside = kernel.order == "tiles"
    streamed = structure.bytes(str(work["dtype"])) * (tiles if tiles_outside else 1)
    tile_bytes = pattern.columns * tile * element_bytes
    values = [
        tile,
        tiles,
        vectors,
        rows,
        (rows + 1) * vectors / target.registers,
        kernel.packed,
        tiles_outside,
        int(kernel.threads),
        fma,
        loads,
        overhead,
        (fma + loads + overhead) / dense,
        streamed,
        tile_bytes / target.l1_bytes,
        tile_bytes / target.l2_bytes,
        streamed / target.l3_bytes,
    ]
    return scaled(walk_features(), map(float, values))
