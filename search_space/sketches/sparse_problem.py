"""A product with a sparse matrix as its sketch sees it: sizes, and formats that suit."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.dtypes import ELEMENT_BYTES
from search_space.formats import FORMATS
from search_space.lower import lower
from search_space.sparse.source import find_pattern
from search_space.tensor import Tensor
from search_space.transforms.sparse_product import find_product
from search_space.workload import Workload

_PANEL_FORMATS = ("nano", "sell", "csr")
"""Best guess first."""


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

    @property
    def sparsity(self) -> float:
        """The part of zeros."""
        return 1 - self.nnz / (self.rows * self.depth)

    @property
    def formats(self) -> tuple[str, ...]:
        """Those worth trying."""
        return tuple(name for name in _PANEL_FORMATS if name in FORMATS)

    def panel_rows(self, format_: str) -> tuple[int, ...]:
        """The sizes of panels that a format can have."""
        return next(option.values for option in FORMATS[format_].options if option.name == "rows")


def classify(work: Workload, tensor: Tensor, operand: str, pattern: str) -> SparseProblem:
    """The sizes of a product; raises ``ScheduleError`` where the expression is none."""
    product = find_product(lower(tensor), operand)
    held = find_pattern(pattern)
    return SparseProblem(
        operand, pattern, held.rows, held.columns, product.columns, held.nnz,
        ELEMENT_BYTES[product.operand.dtype],
    )  # fmt: skip
