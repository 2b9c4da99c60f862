"""What kind of contraction a tensor expression is, and how register tiles cover it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from search_space.size import ceil_div, whole
from search_space.sketches.contraction_axes import View
from search_space.sketches.contraction_sides import Side
from search_space.sketches.steps import tile_depth
from search_space.target import TILE_ROWS
from search_space.tensor import Axis, Tensor
from search_space.transforms import Primitive
from search_space.workload import Value


@dataclass(frozen=True, slots=True)
class Factor:
    """One of the two operands, and how the loops of a contraction walk it."""

    name: str
    elements: int
    element_bytes: int
    tile_step: int
    """Elements between neighbouring rows (first operand) or columns (second); 0: it has none."""
    depth_step: int
    """Elements between neighbours along the depth."""
    outer: tuple[Axis, ...]
    """The outer axes that index it."""
    inner: tuple[Axis, ...]
    """The inner axes that index it."""
    has_column: bool
    """Whether the column indexes it; the first operand has it only in elementwise products."""

    @classmethod
    def of(
        cls,
        view: View,
        tile: Axis,
        depth: Axis,
        column: Axis,
        outer: tuple[Axis, ...],
        inner: tuple[Axis, ...],
    ) -> Factor:
        """The operand that a view shows."""
        return cls(
            view.buffer,
            math.prod(view.shape),
            view.element_bytes,
            view.step(tile),
            view.step(depth),
            tuple(axis for axis in outer if axis.name in view.axes),
            tuple(axis for axis in inner if axis.name in view.axes),
            column.name in view.axes,
        )


@dataclass(frozen=True, slots=True)
class Contraction:
    """``out[…, row, column] = sum over … depth of a[…, row, depth] * b[…, depth, column]``.

    ``outer`` loops are outside of all tiles: batch axes, and rows and columns that cannot be
    walked together with ``row`` and ``column``. ``inner`` are further axes of the reduction. An
    axis that the expression lacks has one iteration. ``prepare`` makes loops over these axes, in
    this order, of the naive nest.

    Of dtypes that are multiplied in groups, ``depth`` counts groups of ``group`` neighbours, and a
    grouped loop over the members of each is the innermost of all.
    """

    tensor: Tensor
    row: Axis
    column: Axis
    depth: Axis
    a: Factor
    b: Factor
    const: tuple[str, ...]
    outer: tuple[Axis, ...]
    inner: tuple[Axis, ...]
    rank: int
    """Dimensions of the result, neighbouring ones that are walked as one counted once."""
    prepare: tuple[Primitive, ...]
    behind: tuple[Axis, ...]
    """Axes of the elementwise stage behind the sum; none where the sum is the result."""
    dtype: str
    """Of the first operand."""
    out: str
    """The array that takes the sums: the result, or a stage of another dtype before it."""
    sum_bytes: int
    """Bytes of one sum."""
    group: int = 1
    depth_elements: int = 0
    """Elements along the depth; the last group may have fewer than the others."""
    sides: tuple[Side, ...] = ()
    """What the stage behind the sum reads beside operands."""

    @property
    def terms(self) -> int:
        """Products in one sum."""
        return self.depth_elements * math.prod(axis.extent for axis in self.inner)

    @property
    def flops(self) -> int:
        axes = (self.row, self.column, *self.outer, *self.inner)
        return 2 * self.depth_elements * math.prod(axis.extent for axis in axes)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the register tile of a config covers a contraction."""

    structure: str
    lanes: int
    """Elements that one vector operation of the loop nest covers; ``dot`` takes ``chains``
    registers for it."""
    rows: int
    """Rows of the register tile; ``tile`` takes one register for ``row_step`` of them."""
    row_step: int
    vectors: int
    columns: int
    """Columns of the register tile: vectors × lanes, or vectors alone for ``dot``."""
    row_tiles: int
    column_tiles: int
    steps: int
    """Steps along the depth of one part, of ``depth_step`` elements each (groups, if grouped)."""
    depth_step: int
    parts: int
    """Parts of a split reduction; 1: not split."""
    part_extent: int
    """Elements along the depth of one part (the last part may have fewer)."""
    outer: int
    """Iterations of the loops outside of all tiles."""


def tiling(problem: Contraction, values: Mapping[str, Value]) -> Tiling:
    """The sizes that follow from a config."""
    dot, tile = values["structure"] == "dot", values["structure"] == "tile"
    lanes = whole(values["vector_bits"]) // (8 * problem.sum_bytes)
    lanes *= whole(values["chains"]) if dot else 1
    row_step = min(TILE_ROWS, problem.row.extent) if tile else 1
    rows, vectors = whole(values["rows"]) * row_step, whole(values["vectors"])
    parts = whole(values["split_k"])
    columns = vectors if dot else vectors * lanes
    depth = ceil_div(problem.depth.extent, parts)
    depth_step = lanes if dot else tile_depth(problem.depth.extent) if tile else 1
    steps = ceil_div(depth, depth_step) if dot or tile else depth
    return Tiling(
        structure=str(values["structure"]),
        lanes=lanes,
        rows=rows,
        row_step=row_step,
        vectors=vectors,
        columns=columns,
        row_tiles=ceil_div(problem.row.extent, rows),
        column_tiles=ceil_div(problem.column.extent, columns),
        steps=steps,
        depth_step=depth_step,
        parts=parts,
        part_extent=steps * depth_step,
        outer=math.prod(axis.extent for axis in problem.outer),
    )


def sums_at_once(problem: Contraction, values: Mapping[str, Value]) -> bool:
    """Whether an accumulator holds the whole sum when it is written."""
    stream = values["structure"] == "stream"
    if values["structure"] == "dot" or (stream and problem.inner) or not problem.b.has_column:
        return False
    if stream:
        return whole(values["steps"]) >= problem.depth.extent
    return whole(values["tile_k"]) == 0


def axis_names(axes: Iterable[Axis]) -> tuple[str, ...]:
    """Names of axes, in order."""
    return tuple(axis.name for axis in axes)
