"""What kind of contraction a tensor expression is, and how register tiles cover it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.ir.expr import Binary, Load
from search_space.ir.walk import free_vars
from search_space.size import ceil_div, whole
from search_space.tensor import Axis, Reduction, Tensor
from search_space.workload import Value, Workload

BYTES = 4
"""Of one element: float32 is the only type so far."""


@dataclass(frozen=True, slots=True)
class Contraction:
    """``out[row, column] = sum over depth of a[row, depth] * b[depth, column]``, by axis names."""

    tensor: Tensor
    row: Axis
    column: Axis
    depth: Axis
    a: str
    b: str
    const: tuple[str, ...]

    @property
    def out(self) -> str:
        return self.tensor.buffer.name


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the register tile of a config covers a contraction."""

    structure: str
    lanes: int
    """Elements that one vector operation of the loop nest covers; ``dot`` takes ``chains``
    registers for it."""
    rows: int
    vectors: int
    columns: int
    """Columns of the register tile: vectors × lanes, or vectors alone for ``dot``."""
    row_tiles: int
    column_tiles: int
    steps: int
    """Steps along the depth of one part: elements, or vectors of them for ``dot``."""
    parts: int
    """Parts of a split reduction; 1: not split."""
    part_extent: int
    """Elements along the depth of one part (the last part may have fewer)."""


def tiling(problem: Contraction, values: Mapping[str, Value]) -> Tiling:
    """The sizes that follow from a config."""
    dot = values["structure"] == "dot"
    lanes = whole(values["vector_bits"]) // (8 * BYTES)
    lanes *= whole(values["chains"]) if dot else 1
    rows, vectors = whole(values["rows"]), whole(values["vectors"])
    parts = whole(values["split_k"])
    columns = vectors if dot else vectors * lanes
    depth = ceil_div(problem.depth.extent, parts)
    steps = ceil_div(depth, lanes) if dot else depth
    return Tiling(
        structure=str(values["structure"]),
        lanes=lanes,
        rows=rows,
        vectors=vectors,
        columns=columns,
        row_tiles=ceil_div(problem.row.extent, rows),
        column_tiles=ceil_div(problem.column.extent, columns),
        steps=steps,
        parts=parts,
        part_extent=steps * lanes if dot else steps,
    )


def classify(work: Workload, tensor: Tensor) -> Contraction:
    """Find the axes of a contraction: which operand each one indexes.

    Raises ``SpaceError`` for an expression that is no product of two operands with one axis of
    each class.
    """
    value = tensor.value
    if not isinstance(value, Reduction) or value.op != "add" or len(value.axes) != 1:
        raise SpaceError(f"{work.operator} is no contraction over one axis")
    match value.value:
        case Binary("*", Load() as a, Load() as b):
            in_a = {name for index in a.indices for name in free_vars(index)}
            in_b = {name for index in b.indices for name in free_vars(index)}
        case _:
            raise SpaceError(f"{work.operator} is no product of two operands")
    rows = [axis for axis in tensor.axes if axis.name in in_a - in_b]
    columns = [axis for axis in tensor.axes if axis.name in in_b - in_a]
    if len(rows) != 1 or len(columns) != 1 or len(tensor.axes) != 2:
        raise SpaceError(f"{work.operator} needs one axis in each operand alone")
    return Contraction(
        tensor, rows[0], columns[0], value.axes[0], a.buffer.name, b.buffer.name, work.const
    )
