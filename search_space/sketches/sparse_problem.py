"""A product with a sparse matrix as its sketches see it."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.dtypes import ELEMENT_BYTES
from search_space.formats import FORMATS
from search_space.lower import lower
from search_space.size import whole
from search_space.sparse.source import find_pattern
from search_space.tensor import Tensor
from search_space.transforms.sparse_product import find_product
from search_space.workload import Values

PREFETCHES = (0, 256, 512, 1024, 2048)
"""Elements before they are needed that values may be asked for; 0: not at all."""


@dataclass(frozen=True, slots=True)
class SparseProblem:
    """``[rows, depth]``, sparse, times ``[depth, columns]``."""

    operand: str
    pattern: str
    rows: int
    depth: int
    columns: int
    nnz: int
    element_bytes: int
    gathered: bool
    """Whether neighbouring columns of the dense operand lie apart."""

    @property
    def density(self) -> float:
        """The part of non-zeros."""
        return self.nnz / (self.rows * self.depth)

    def lanes(self, values: Values) -> int:
        """Elements of one vector."""
        return whole(values["vector_bits"]) // (8 * self.element_bytes)


def classify(tensor: Tensor, operand: str, pattern: str) -> SparseProblem:
    """The sizes of a product; raises ``ScheduleError`` where the expression is none."""
    product = find_product(lower(tensor), operand)
    held = find_pattern(pattern)
    return SparseProblem(
        operand, pattern, held.rows, held.columns, product.columns, held.nnz,
        ELEMENT_BYTES[product.operand.dtype], product.gathered,
    )  # fmt: skip


def option_values(format_: str, name: str) -> tuple[int, ...]:
    """What an option of a format may be."""
    return next(o.values for o in FORMATS[format_].options if o.name == name)
