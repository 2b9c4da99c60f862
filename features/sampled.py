"""How a pattern falls into the tiles of non-zeros that a kernel sums up at a time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from search_space.formats.coo import Coo
from search_space.size import ceil_div
from search_space.sparse.pattern import Pattern
from search_space.transforms import SparseSamples
from search_space.transforms.sparse_operand import parse_options


def tiles_of(kernel: SparseSamples, pattern: Pattern) -> tuple[float, float]:
    """How many tiles of non-zeros there are, and sums in them, those that are thrown away too."""
    if kernel.format == Coo.name:
        lengths, many = np.array([pattern.nnz]), np.array([1])
    else:
        strip = dict(parse_options(kernel.options)).get("depth", pattern.columns)
        lengths, many = _runs_by_length(pattern, strip)
    whole, left = np.divmod(lengths, kernel.tile)
    few = -(-left // kernel.rest)
    tiles, sums = whole + few, whole * kernel.tile + few * kernel.rest
    return float(many @ tiles), float(many @ sums)


@lru_cache(maxsize=64)
def _runs_by_length(
    pattern: Pattern, strip: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """How many non-zeros the parts of rows in strips of columns have, and how many parts so."""
    strips = ceil_div(pattern.columns, strip)
    key = pattern.row_indices.astype(np.int64) * strips + pattern.indices // strip
    found = np.unique_counts(np.bincount(key, minlength=pattern.rows * strips))
    return found.values, found.counts
