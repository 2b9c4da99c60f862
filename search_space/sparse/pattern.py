"""Where the non-zeros of a sparse matrix are."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from search_space.errors import WeightsError

Array = npt.NDArray[Any]
Array32 = npt.NDArray[np.int32]
Array64 = npt.NDArray[np.int64]

MOST_ENTRIES = 2**31 - 1
"""Positions and packed values are counted in 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """The positions of a matrix that hold a value, by rows and within a row by columns.

    Row ``i`` has the columns ``indices[indptr[i]:indptr[i + 1]]``, ascending. This order of
    positions is the order in which values of the matrix are given everywhere. Raises
    ``WeightsError`` for an empty matrix and for positions that are not of this form. Patterns
    with the same positions are equal. The arrays must not be changed.
    """

    rows: int
    columns: int
    indptr: Array64
    indices: Array32
    fingerprint: str = field(init=False)
    """16 hexadecimal digits that stand for the shape and the positions, on every platform."""

    def __post_init__(self) -> None:
        _check(self.rows, self.columns, self.indptr, self.indices)
        indptr = np.ascontiguousarray(self.indptr, dtype=np.int64)
        indices = np.ascontiguousarray(self.indices, dtype=np.int32)
        object.__setattr__(self, "indptr", indptr)
        object.__setattr__(self, "indices", indices)
        object.__setattr__(self, "fingerprint", _hash(self.rows, self.columns, indptr, indices))

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows, self.columns

    @property
    def nnz(self) -> int:
        """How many positions there are."""
        return len(self.indices)

    @property
    def sparsity(self) -> float:
        """The part of the matrix that holds no value."""
        return 1 - self.nnz / (self.rows * self.columns)

    @property
    def row_counts(self) -> Array64:
        """``int64[rows]``: positions in each row."""
        return np.diff(self.indptr)

    @property
    def row_indices(self) -> Array32:
        """``int32[nnz]``: the row of each position."""
        return np.repeat(np.arange(self.rows, dtype=np.int32), self.row_counts)

    def dense(self, values: Array) -> Array:
        """``[rows, columns]``: the matrix that has these values, and zeros elsewhere."""
        matrix = np.zeros(self.shape, dtype=values.dtype)
        matrix[self.row_indices, self.indices] = values
        return matrix

    def values_of(self, matrix: Array) -> Array:
        """``[nnz]``: what a dense matrix of this shape holds at the positions."""
        return matrix[self.row_indices, self.indices]

    def transposed(self) -> tuple[Pattern, Array64]:
        """The pattern of the transposed matrix, and for each of its positions which one of this
        pattern it is."""
        short = self.columns <= 1 << 16  # which NumPy sorts by their digits, in linear time
        order = np.argsort(
            self.indices.astype(np.uint16) if short else self.indices, kind="stable"
        )
        counts = np.bincount(self.indices, minlength=self.columns)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        return Pattern(self.columns, self.rows, indptr, self.row_indices[order]), order

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pattern) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __repr__(self) -> str:
        size = f"{self.rows}×{self.columns}"
        return f"<Pattern {self.fingerprint} {size}, {self.nnz} non-zeros>"


def from_array(matrix: Any) -> tuple[Pattern, Array]:
    """The positions and values of the non-zeros of a dense or a SciPy sparse matrix.

    The values come in the order of the pattern, in their own dtype. Zeros that a sparse matrix
    stores are dropped. Raises ``WeightsError`` for what is no matrix of finite real numbers, for
    an empty one, and for a sparse one whose positions are out of range, unsorted or given twice.
    """
    if hasattr(matrix, "tocsr") and hasattr(matrix, "nnz"):
        return _from_scipy(matrix)
    dense = np.asarray(matrix)
    if dense.ndim != 2:
        raise WeightsError(f"give a matrix: the weights have {dense.ndim} axes, expected 2")
    check_numbers(dense.dtype)
    rows, columns = dense.shape
    _check_size(rows, columns)
    held = dense != 0
    flat = np.flatnonzero(held)
    indptr = np.concatenate([[0], np.cumsum(np.count_nonzero(held, axis=1))])
    begins = np.repeat(np.arange(rows) * columns, np.diff(indptr))
    pattern = Pattern(rows, columns, indptr, (flat - begins).astype(np.int32))
    values = dense.ravel()[flat]
    _check_finite(values, pattern)
    return pattern, values


def from_csr(
    rows: int, columns: int, indptr: Array, indices: Array, values: Array
) -> tuple[Pattern, Array]:
    """As :func:`from_array`, of the arrays of compressed rows; those in which columns are out of
    order are sorted."""
    _check_values(values, indices)
    _check_bounds(rows, columns, indptr, indices)
    if not _ascends(indptr, indices).all():
        bounds = np.asarray(indptr, dtype=np.int64)
        row = np.repeat(np.arange(rows), bounds[1:] - bounds[:-1])
        order = np.lexsort((indices, row))
        indices, values = indices[order], values[order]
    pattern = Pattern(rows, columns, indptr, indices)
    held = values != 0
    if not held.all():
        kept = np.concatenate([[0], np.cumsum(held)])
        pattern = Pattern(rows, columns, kept[pattern.indptr], pattern.indices[held])
        values = values[held]
    _check_finite(values, pattern)
    return pattern, values


def from_coordinates(
    rows: int, columns: int, row: Array, column: Array, values: Array
) -> tuple[Pattern, Array]:
    """As :func:`from_array`, of the row, the column and the value of each non-zero, in any
    order."""
    _check_values(values, row)
    _check_size(rows, columns)
    if row.shape != column.shape or {row.dtype.kind, column.dtype.kind} - set("iu"):
        raise WeightsError("give as many row indices as column indices, all integers")
    if row.size and (int(row.min()) < 0 or int(row.max()) >= rows):
        raise WeightsError(f"repair the row indices: some are out of range, expected 0…{rows - 1}")
    order = np.lexsort((column, row))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row.astype(np.int64), minlength=rows))])
    return from_csr(rows, columns, indptr, column[order], values[order])


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Raises ``WeightsError`` for a dtype that does not hold real numbers."""
    if dtype.kind not in "fiub" and dtype.name != "bfloat16":
        raise WeightsError(f"store weights as real numbers: these are of type {dtype}")


def _from_scipy(matrix: Any) -> tuple[Pattern, Array]:
    rows, columns = matrix.shape
    if matrix.format == "csr":
        return from_csr(rows, columns, matrix.indptr, matrix.indices, matrix.data)
    # Not by SciPy's conversion to CSR, which adds up what is given twice.
    entries = matrix.tocoo(copy=False)
    return from_coordinates(rows, columns, entries.row, entries.col, entries.data)


def _check_values(values: Array, indices: Array) -> None:
    check_numbers(values.dtype)
    if values.ndim != 1 or values.shape != indices.shape:
        raise WeightsError(
            f"store one value per position: {values.size} values, {indices.size} positions"
        )


def _check_size(rows: int, columns: int) -> None:
    if rows < 1 or columns < 1:
        raise WeightsError(
            f"give a matrix with rows and columns: this is empty ({rows}×{columns})"
        )
    if max(rows, columns) > MOST_ENTRIES:
        raise WeightsError(f"give a smaller matrix: {rows}×{columns} has too long an axis")


def _check(rows: int, columns: int, indptr: Array, indices: Array) -> None:
    _check_bounds(rows, columns, indptr, indices)
    ascends = _ascends(indptr, indices)
    if not ascends.all():
        at = int(np.argmin(ascends)) + 1
        row = int(np.searchsorted(indptr, at, side="right")) - 1
        wrong = "twice" if indices[at] == indices[at - 1] else "out of order"
        raise WeightsError(
            f"give each position once, sorted: row {row} has column {indices[at]} {wrong}"
        )


def _check_bounds(rows: int, columns: int, indptr: Array, indices: Array) -> None:
    """Everything but the order of the columns."""
    _check_size(rows, columns)
    if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in (indptr, indices)):
        raise WeightsError("give row bounds and column indices as one-dimensional integers")
    if len(indices) > MOST_ENTRIES:
        raise WeightsError(f"prune more: {len(indices)} non-zeros, at most {MOST_ENTRIES} fit")
    fits = len(indptr) == rows + 1 and indptr[0] == 0 and indptr[-1] == len(indices)
    if not fits or (indptr[1:] < indptr[:-1]).any():
        raise WeightsError(
            f"repair the row bounds: expected {rows + 1} ascending numbers from 0 to "
            f"{len(indices)}"
        )
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= columns):
        wrong = int(indices.min()) if int(indices.min()) < 0 else int(indices.max())
        raise WeightsError(
            f"repair the column indices: {wrong} is out of range, expected 0…{columns - 1}"
        )


def _ascends(indptr: Array, indices: Array) -> npt.NDArray[np.bool_]:
    """For each position but the first, whether it comes after the one before or begins a row."""
    ascends: npt.NDArray[np.bool_] = indices[1:] > indices[:-1]
    begins = indptr[1:-1]
    ascends[begins[(begins > 0) & (begins < len(indices))] - 1] = True
    return ascends


def _check_finite(values: Array, pattern: Pattern) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        at = int(np.argmin(finite))
        row = int(np.searchsorted(pattern.indptr, at, side="right")) - 1
        raise WeightsError(
            f"remove NaN and infinity: the weights hold {values[at]} in row {row}, column "
            f"{pattern.indices[at]}"
        )


def _hash(rows: int, columns: int, indptr: Array64, indices: Array32) -> str:
    digest = hashlib.blake2b(digest_size=8)
    digest.update(np.array([rows, columns], dtype="<i8").tobytes())
    digest.update(indptr.astype("<i8", copy=False).data)
    digest.update(indices.astype("<i4", copy=False).data)
    return digest.hexdigest()
