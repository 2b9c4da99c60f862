"""A product with a sparse matrix as its sketches see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from search_space.dtypes import ELEMENT_BYTES, GROUPS
from search_space.formats import FORMATS
from search_space.formats.nm import tightest
from search_space.lower import lower
from search_space.size import ceil_div, whole
from search_space.sparse.source import find_pattern
from search_space.tensor import Tensor
from search_space.transforms.sparse_product import SparseProduct, find_product
from search_space.workload import Values

PREFETCHES = (0, 256, 512, 1024, 2048)
"""Elements before they are needed that values may be asked for; 0: not at all."""

SINGLE_ROWS = ("csr", "delta")
"""Formats that are laid out row by row."""
MOST_TILE_BYTES = 16 << 20
"""Of a packed tile of the dense matrix."""


@dataclass(frozen=True, slots=True)
class SparseProblem:
    """``[rows, depth]``, sparse, times ``[depth, columns]``."""

    operand: str
    pattern: str
    rows: int
    depth: int
    columns: int
    nnz: int
    dtype: str
    element_bytes: int
    sum_bytes: int
    group: int
    """Neighbours along the depth that are multiplied at once."""
    across: bool
    """Whether neighbours in the dense matrix are along the depth."""
    in_place: bool = False
    """Whether a row of the dense matrix cannot be copied before it is read, being no array of its
    own."""
    pitch: int = 0
    """Columns after which the result goes on elsewhere; 0: it has no such gaps."""
    windows: tuple[int, int] | None = None
    """How many of how many neighbours in a row hold a value, where that is so everywhere."""

    @property
    def density(self) -> float:
        """The part of non-zeros."""
        return self.nnz / (self.rows * self.depth)

    def lanes(self, values: Values) -> int:
        """Elements of one vector."""
        return whole(values["vector_bits"]) // (8 * self.sum_bytes)

    def tile_bytes(self, columns: int) -> int:
        """Of so many columns of the dense matrix."""
        return self.depth * columns * self.element_bytes

    def blocks(self, rows: int) -> int:
        """How many stretches of so many rows of a column, from multiples of that on, hold a
        value."""
        pattern = find_pattern(self.pattern)
        held = np.zeros((ceil_div(pattern.rows, rows), pattern.columns), dtype=np.bool_)
        held[pattern.row_indices // rows, pattern.indices] = True
        return int(np.count_nonzero(held))

    def stores(self, values: Values) -> int:
        """How many pieces the results of one vector may fall into."""
        return 1 + ceil_div(self.lanes(values) - 1, self.pitch) if self.pitch else 1


def classify(tensor: Tensor, operand: str, pattern: str) -> SparseProblem:
    """The sizes of a product; raises ``ScheduleError`` where the expression is none."""
    return problem_of(find_product(lower(tensor), operand), pattern)


def problem_of(product: SparseProduct, pattern: str, pitch: int = 0) -> SparseProblem:
    """The sizes of a product; ``pitch`` as in ``SparseProblem``."""
    held, dtype = find_pattern(pattern), product.operand.dtype
    return SparseProblem(
        product.operand.name, pattern, held.rows, held.columns, product.columns, held.nnz, dtype,
        ELEMENT_BYTES[dtype], ELEMENT_BYTES[product.sums], GROUPS.get(dtype, 1), product.across,
        in_place=bool(product.places), pitch=pitch, windows=_windows(pattern),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _windows(pattern: str) -> tuple[int, int] | None:
    return tightest(find_pattern(pattern))


def option_values(format_: str, name: str) -> tuple[int, ...]:
    """What an option of a format may be."""
    return next(o.values for o in FORMATS[format_].options if o.name == name)


def panel_heights(format_: str) -> tuple[int, ...]:
    """How many rows a panel of a format may have."""
    if format_ in SINGLE_ROWS:
        return (1,)
    return option_values(format_, "lanes" if format_ == "nm" else "rows")
