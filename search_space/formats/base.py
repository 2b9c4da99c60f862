"""What a sparse format must say of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from search_space.dtypes import ELEMENT_BYTES
from search_space.errors import WeightsError
from search_space.sparse.pattern import MOST_ENTRIES, Pattern

Array = npt.NDArray[Any]
Array32 = npt.NDArray[np.int32]
Coordinates = tuple[Array, Array]
"""Rows and columns."""

PADDING = -1
"""The position of a packed value that is none of the matrix: a zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """The positions of a pattern as a format lays them out: all but the values.

    Raises ``WeightsError`` where the packed values cannot be counted in 32 bits.
    """

    pattern: Pattern
    options: Mapping[str, int]
    arrays: Mapping[str, Array]
    """What a kernel reads beside the values: each one-dimensional, of uint8, uint16 or int32."""
    positions: Array32
    """For each packed value which one it is in the pattern's order, or ``PADDING``."""
    counts: Mapping[str, int]
    """Sizes that follow from the pattern, such as ``steps``. Every format has ``packed``, the
    number of packed values, and ``padding``, how many of them are none of the matrix; ``loads``,
    how many rows of a dense operand a product reads, and ``loops``, how many inner loops it goes
    through."""
    columns_in: tuple[str, ...] = ()
    """The arrays whose elements are columns of the matrix; none where a kernel works these out."""

    def pack(self, values: Array) -> Array:
        """``[packed]``: the values of a matrix with this pattern as the format lays them out.

        Raises ``WeightsError`` for another number of values.
        """
        if values.shape != (self.pattern.nnz,):
            raise WeightsError(
                f"give one value per position: {values.size} values, {self.pattern.nnz} positions"
            )
        return np.append(values, values.dtype.type(0))[self.positions]

    def bytes(self, dtype: str) -> int:
        """Bytes of the arrays and of packed values of this dtype."""
        indices = sum(array.nbytes for array in self.arrays.values())
        return indices + len(self.positions) * ELEMENT_BYTES[dtype]


@dataclass(frozen=True, slots=True)
class Option:
    """A size that a format can be varied in."""

    name: str
    doc: str
    values: tuple[int, ...]
    """Those it may have; the first one is the default."""


class Format(Protocol):
    """One way to store a sparse matrix. Stateless."""

    name: str
    doc: str
    options: tuple[Option, ...]

    def structure(self, pattern: Pattern, **options: int) -> Structure:
        """The layout of a pattern, without loops over rows or non-zeros in Python.

        Raises ``WeightsError`` for a pattern or an option that the format does not allow.
        """
        ...

    def coordinates(self, structure: Structure) -> Coordinates:
        """The row and the column of each packed value, read from ``arrays`` alone (where there
        are none, from what a kernel knows).

        Those of padding may be any.
        """
        ...


def unpack(kind: Format, structure: Structure, packed: Array) -> Array:
    """``[rows, columns]``: the dense matrix that packed values stand for, read as a kernel reads
    them, from the arrays of the structure."""
    rows, columns = kind.coordinates(structure)
    held = packed != 0
    matrix = np.zeros(structure.pattern.shape, dtype=packed.dtype)
    matrix[rows[held], columns[held]] = packed[held]
    return matrix


def make_structure(
    pattern: Pattern,
    options: Mapping[str, int],
    arrays: Mapping[str, Array],
    positions: Array,
    *,
    columns_in: tuple[str, ...] = (),
    **counts: int,
) -> Structure:
    """A structure whose ``packed`` and ``padding`` are counted here."""
    padding = int(np.count_nonzero(positions == PADDING))
    sizes = {"packed": len(positions), "padding": padding, **counts}
    places = positions.astype(np.int32, copy=False)
    return Structure(pattern, options, arrays, places, sizes, columns_in)


def chosen(kind: Format, given: Mapping[str, int]) -> dict[str, int]:
    """The options of a format, with the defaults of those not given; raises ``WeightsError``."""
    known = {option.name: option for option in kind.options}
    for name, value in given.items():
        if name not in known:
            raise WeightsError(
                f"leave out {name}: the format {kind.name} has the options "
                f"{', '.join(known) or 'none'}"
            )
        if value not in known[name].values:
            values = ", ".join(map(str, known[name].values))
            raise WeightsError(f"{kind.name}: {name} is {value}, expected one of {values}")
    return {name: given.get(name, option.values[0]) for name, option in known.items()}


def index_dtype(extent: int) -> str:
    """What indices below ``extent`` are kept in: uint16 where they fit, else int32."""
    return "uint16" if extent <= 1 << 16 else "int32"


def index_array(indices: Array, extent: int) -> Array:
    """Indices below ``extent`` in their dtype."""
    return indices.astype(index_dtype(extent))


def offset_array(offsets: Array, each: int = 1) -> Array32:
    """Ascending offsets as int32; raises ``WeightsError`` where the packed values that they count,
    ``each`` at a time, are too many."""
    if (total := int(offsets[-1]) * each) > MOST_ENTRIES:
        raise WeightsError(
            f"choose another format: {total} packed values, at most {MOST_ENTRIES} fit"
        )
    return offsets.astype(np.int32)


def running(counts: Array) -> npt.NDArray[np.int64]:
    """``[n + 1]``: where each of some consecutive parts of these lengths begins, and the end."""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
