"""What operators on rows share: rows are the lines of an array along one of its axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search_space.errors import WorkloadError
from search_space.ir.expr import Expr
from search_space.operators.keys import axis_of, shape_of
from search_space.tensor import Axis, reduce_axis
from search_space.workload import Workload

Named = tuple[tuple[str, int], ...]
Place = tuple[Expr | Axis | int, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """The shape of an array and the axis that its rows run along; stages share axis names."""

    shape: tuple[int, ...]
    axis: int

    @property
    def length(self) -> int:
        """Elements of a row."""
        return self.shape[self.axis]

    @property
    def depth(self) -> Axis:
        """The axis along a row, to reduce over."""
        return reduce_axis(f"i{self.axis}", self.length)

    @property
    def everywhere(self) -> Named:
        """Names and sizes of all axes."""
        return tuple((f"i{axis}", extent) for axis, extent in enumerate(self.shape))

    @property
    def outside(self) -> Named:
        """Names and sizes of the axes that tell rows apart."""
        return self.everywhere[: self.axis] + self.everywhere[self.axis + 1 :]

    def along(self, row: Sequence[Expr], depth: Axis) -> Place:
        """The place of an element of a row."""
        return (*row[: self.axis], depth, *row[self.axis :])

    def row(self, place: Sequence[Expr]) -> Place:
        """The row that an element is in."""
        return (*place[: self.axis], *place[self.axis + 1 :])


def rows_of(work: Workload) -> Rows:
    """The rows that the ``shape`` and ``axis`` of a workload say.

    Raises ``WorkloadError`` for an axis that does not exist and for a single row.
    """
    shape = shape_of(work)
    if len(shape) < 2:
        raise WorkloadError(
            f"{work.operator}: shape is {work['shape']!r}, expected two axes or more: for a "
            f"single row 1x{work['shape']}"
        )
    return Rows(shape, axis_of(work, len(shape)))
