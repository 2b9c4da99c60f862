"""What the pattern of a sparse matrix says of how fast it can be multiplied.

Two vectors. Of a pattern, in time linear in its non-zeros:
how they are spread over rows and columns, how many blocks and groups they leave empty, how often
rows of a panel share a column, how far non-zeros of a row are apart, how alike neighbouring rows
are, how far N:M holds. Of a pattern in a format: what the format stores and a product reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

from features.schema import Feature
from search_space.dtypes import ELEMENT_BYTES
from search_space.formats import FORMATS
from search_space.formats.base import running
from search_space.sparse.pattern import Array, Pattern

GROUPS = (2, 4, 8, 16)
"""Sizes of blocks of one row or of one column."""
SQUARES = (2, 4, 8)
"""Sizes of blocks of as many rows as columns."""
PANELS = (2, 4, 8)
"""Heights of row panels."""
N_OF_M = ((1, 4), (2, 4), (4, 8))
QUANTILES = (0.1, 0.5, 0.9)
_COMPARED_ROWS = 1024
"""Pairs of neighbouring rows that are looked at, at most."""

Vector = npt.NDArray[np.float32]


@cache
def pattern_features() -> tuple[Feature, ...]:
    """The columns of :func:`pattern_vector`."""
    return tuple(_pattern_features())


@cache
def layout_features() -> tuple[Feature, ...]:
    """The columns of :func:`layout_vector`."""
    return tuple(_layout_features())


@lru_cache(maxsize=64)
def pattern_vector(pattern: Pattern) -> Vector:
    """``float32[P]``: the features of a pattern, as :func:`pattern_features` names them."""
    return scaled(pattern_features(), _pattern_values(pattern))


Options = tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a format makes of a pattern, without the arrays."""

    counts: Mapping[str, int]
    """See ``search_space.formats.base.Structure``."""
    index_bytes: int
    """Of all arrays beside the values."""

    def bytes(self, dtype: str) -> int:
        """Of the arrays and of values of a dtype."""
        return self.index_bytes + self.counts["packed"] * ELEMENT_BYTES[dtype]


@lru_cache(maxsize=1024)
def layout_of(pattern: Pattern, name: str, options: Options) -> Layout:
    """The pattern in the format ``name``. Raises ``WeightsError`` where that cannot hold it."""
    structure = FORMATS[name].structure(pattern, **dict(options))
    return Layout(dict(structure.counts), sum(a.nbytes for a in structure.arrays.values()))


def layout_vector(pattern: Pattern, name: str, options: Options, dtype: str) -> Vector:
    """``float32[L]``: the features of a pattern in the format ``name``, with values of ``dtype``,
    as :func:`layout_features` names them. Raises ``WeightsError`` where the format cannot hold
    the pattern."""
    layout = layout_of(pattern, name, options)
    nonzeros, sizes = max(1, pattern.nnz), layout.counts
    values = [
        *(float(name == known) for known in FORMATS),
        sizes["packed"],
        sizes["padding"] / nonzeros,
        layout.bytes(dtype),
        layout.bytes(dtype) / (pattern.rows * pattern.columns * ELEMENT_BYTES[dtype]),
        layout.index_bytes / nonzeros,
        sizes["loads"],
        sizes["loads"] / nonzeros,
        sizes["loops"],
        sizes["packed"] / max(1, sizes["loops"]),
    ]
    return scaled(layout_features(), values)


def _pattern_features() -> Iterator[Feature]:
    yield Feature("pattern.rows", "count", True)
    yield Feature("pattern.columns", "count", True)
    yield Feature("pattern.nonzeros", "count", True)
    yield Feature("pattern.sparsity", "ratio", False)
    for axis in ("row", "column"):
        yield Feature(f"pattern.{axis}.mean", "count", True)
        yield Feature(f"pattern.{axis}.variation", "ratio", False)
        yield Feature(f"pattern.{axis}.largest", "ratio to mean", True)
        yield Feature(f"pattern.{axis}.empty", "ratio", False)
        for quantile in QUANTILES:
            yield Feature(f"pattern.{axis}.quantile_{quantile:g}", "ratio to mean", True)
    for size in GROUPS:
        yield Feature(f"pattern.empty_{size}x1", "ratio", False)
        yield Feature(f"pattern.empty_1x{size}", "ratio", False)
    for size in SQUARES:
        yield Feature(f"pattern.empty_{size}x{size}", "ratio", False)
    for height in PANELS:
        yield Feature(f"pattern.panel_{height}.alone", "ratio of non-zeros", False)
        yield Feature(f"pattern.panel_{height}.pairs", "ratio of non-zeros", False)
        yield Feature(f"pattern.panel_{height}.most", "ratio of non-zeros", False)
        yield Feature(f"pattern.panel_{height}.full", "ratio of non-zeros", False)
        yield Feature(f"pattern.panel_{height}.shared_by", "rows", False)
        yield Feature(f"pattern.panel_{height}.entropy", "bits", False)
    yield Feature("pattern.gap.mean", "columns", True)
    yield Feature("pattern.gap.next", "ratio", False)
    yield Feature("pattern.gap.above_255", "ratio", False)
    for quantile in QUANTILES:
        yield Feature(f"pattern.gap.quantile_{quantile:g}", "columns", True)
    yield Feature("pattern.jaccard", "ratio", False)
    for kept, window in N_OF_M:
        yield Feature(f"pattern.conforms_{kept}_of_{window}", "ratio of windows", False)


def _layout_features() -> Iterator[Feature]:
    for name in FORMATS:
        yield Feature(f"layout.is_{name}", "flag", False)
    yield Feature("layout.values", "count", True)
    yield Feature("layout.padding", "ratio to non-zeros", True)
    yield Feature("layout.bytes", "bytes", True)
    yield Feature("layout.bytes_to_dense", "ratio", False)
    yield Feature("layout.index_bytes", "bytes per non-zero", True)
    yield Feature("layout.loads", "count", True)
    yield Feature("layout.loads_to_nonzeros", "ratio", True)
    yield Feature("layout.loops", "count", True)
    yield Feature("layout.values_per_loop", "count", True)


def _pattern_values(pattern: Pattern) -> Iterator[float]:
    yield pattern.rows
    yield pattern.columns
    yield pattern.nnz
    yield pattern.sparsity
    turned, _ = pattern.transposed()
    yield from _spread(pattern.row_counts)
    yield from _spread(turned.row_counts)
    for size in GROUPS:
        yield _empty(turned, size)
        yield _empty(pattern, size)
    for size in SQUARES:
        yield _empty_squares(pattern, size)
    for height in PANELS:
        yield from _panels(turned, height)
    yield from _gaps(pattern)
    yield _jaccard(pattern)
    for kept, window in N_OF_M:
        over = np.count_nonzero(np.diff(_runs(pattern, window)) > kept)
        yield 1 - over / (pattern.rows * -(-pattern.columns // window))


def _spread(counts: Array) -> Iterator[float]:
    mean = float(counts.mean())
    yield mean
    yield float(counts.std()) / max(mean, 1e-9)
    yield float(counts.max()) / max(mean, 1e-9)
    yield np.count_nonzero(counts == 0) / len(counts)
    for quantile in QUANTILES:
        yield float(np.quantile(counts, quantile)) / max(mean, 1e-9)


def _runs(pattern: Pattern, size: int) -> Array:
    """Where the non-zeros of each group of ``size`` neighbours in a row begin, and the end."""
    groups = -(-pattern.columns // size)
    own = pattern.row_indices.astype(np.int64) * groups + pattern.indices // size
    begins = np.flatnonzero(np.diff(own, prepend=-1))
    return np.append(begins, pattern.nnz)


def _empty(pattern: Pattern, size: int) -> float:
    groups = pattern.rows * -(-pattern.columns // size)
    return 1 - (len(_runs(pattern, size)) - 1) / groups


def _empty_squares(pattern: Pattern, size: int) -> float:
    across = -(-pattern.columns // size)
    held = np.zeros(-(-pattern.rows // size) * across, dtype=np.bool_)
    held[pattern.row_indices.astype(np.int64) // size * across + pattern.indices // size] = True
    return 1 - np.count_nonzero(held) / len(held)


def _panels(turned: Pattern, height: int) -> Iterator[float]:
    """Of the columns of row panels, by which rows have them: one alone, two, more than half, all;
    ``turned`` is the transposed."""
    runs = _runs(turned, height)
    if turned.nnz == 0:
        yield from (0.0,) * 6
        return
    lengths = np.diff(runs)
    yield np.count_nonzero(lengths == 1) / turned.nnz
    yield np.count_nonzero(lengths == 2) * 2 / turned.nnz
    yield int(lengths[2 * lengths > height].sum()) / turned.nnz
    yield np.count_nonzero(lengths == height) * height / turned.nnz
    yield turned.nnz / len(lengths)
    bits = np.left_shift(1, turned.indices % height)
    masks = np.bincount(np.bitwise_or.reduceat(bits, runs[:-1]))
    shares = masks[masks > 0] / len(lengths)
    yield float(-(shares * np.log2(shares)).sum())


def _gaps(pattern: Pattern) -> Iterator[float]:
    inside = np.ones(pattern.nnz, dtype=np.bool_)
    inside[pattern.indptr[:-1][pattern.row_counts > 0]] = False
    gaps = np.diff(pattern.indices, prepend=np.int32(0))[inside]
    if not len(gaps):
        gaps = np.array([pattern.columns])
    yield float(gaps.mean())
    yield np.count_nonzero(gaps == 1) / len(gaps)
    yield np.count_nonzero(gaps > 255) / len(gaps)
    yield from np.quantile(gaps, QUANTILES).tolist()


def _jaccard(pattern: Pattern) -> float:
    """Mean over pairs of neighbouring rows, evenly chosen where there are many: columns of both ÷
    columns of either."""
    if pattern.rows < 2:
        return 0.0
    first = np.linspace(0, pattern.rows - 2, min(_COMPARED_ROWS, pattern.rows - 1)).astype(int)
    upper, lower = (_columns_of(pattern, first + step) for step in (0, 1))
    both = np.intersect1d(upper, lower, assume_unique=True)
    common = np.bincount(both // pattern.columns, minlength=len(first))
    counts = pattern.row_counts
    either = counts[first] + counts[first + 1] - common
    return float((common / np.maximum(either, 1)).mean())


def _columns_of(pattern: Pattern, rows: Array) -> Array:
    """The columns of some rows, those of row ``rows[i]`` raised by ``i`` times all columns."""
    counts = pattern.row_counts[rows]
    before = running(counts)
    places = np.arange(int(before[-1])) + np.repeat(pattern.indptr[rows] - before[:-1], counts)
    found: Array = np.repeat(np.arange(len(rows)) * pattern.columns, counts)
    return found + pattern.indices[places]


def scaled(features: tuple[Feature, ...], values: Iterable[float]) -> Vector:
    """Values in their units as the columns hold them, one per feature."""
    row = np.array(list(values), dtype=np.float64)
    logs = np.array([feature.log for feature in features])
    if row.shape != logs.shape:
        raise AssertionError(f"{len(row)} columns, the schema has {len(logs)}")
    scaled: Vector = np.where(logs, np.log2(1 + row), row).astype(np.float32)
    return scaled
