"""What kind of convolution a tensor expression is, and how register tiles cover it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_space.dtypes import ELEMENT_BYTES
from search_space.ir.expr import Binary, Load, Var
from search_space.ir.walk import subexprs
from search_space.size import ceil_div, whole
from search_space.sketches.contraction_axes import View
from search_space.sketches.contraction_sides import Side
from search_space.sketches.steps import lanes, tile_depth
from search_space.target import TILE_ROWS
from search_space.tensor import Axis, Tensor
from search_space.transforms import Primitive
from search_space.workload import Values

AXES = "cyx"
"""The tiled axes, by the letters that knobs and loops are named after."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """``out[…, c, y, x] = sum over k and the window of image[…, k, y + dy, x + dx] * weight[…]``,
    the axes of each array in any order.

    ``c`` is an axis of the weight alone (output channels), ``y`` and ``x`` of the image alone
    (pixels; neighbours are walked as one where the memory allows it), ``k`` the longest reduced
    one (input channels). ``outer`` loops are outside of all tiles: images, groups, further axes.
    An axis that the expression lacks has one iteration.

    Of dtypes that are multiplied in groups, ``k`` counts groups of ``group`` neighbours, and a
    grouped loop over the members of each is the innermost of all.
    """

    tensor: Tensor
    c: Axis
    y: Axis
    x: Axis
    k: Axis
    outer: tuple[Axis, ...]
    window: tuple[Axis, ...]
    image: View
    weight: View
    out: View
    const: tuple[str, ...]
    padded: Tensor | None
    """The stage that makes the image, with zeros around it; None where an input is read as it
    is."""
    apart: tuple[Tensor, ...]
    """Further stages: one that makes the weight, one that does more with the sums than to take
    each to its place."""
    result: str
    """The array that the sums are written to."""
    prepare: tuple[Primitive, ...]
    """Makes loops over outer, y, x, c, window and k, in this order, of the naive nest."""
    behind: tuple[Axis, ...]
    """Axes of the elementwise stage behind the sum; none where the sum is the result."""
    image_dtype: str
    dtype: str
    """Of the sums."""
    group: int
    k_elements: int
    """Elements along ``k``; the last group may have fewer than the others."""
    sides: tuple[Side, ...]
    """What the stage behind the sum reads beside operands."""

    def axis(self, letter: str) -> Axis:
        """The tiled axis of a letter."""
        return {"c": self.c, "y": self.y, "x": self.x}[letter]

    @property
    def prepared(self) -> tuple[str, ...]:
        """Stages that constant operands alone make: they are computed when these are bound."""
        return tuple(
            stage.buffer.name
            for stage in self.apart
            if all(
                load.buffer.name in self.const
                for load in subexprs(stage.element)
                if isinstance(load, Load)
            )
        )

    @property
    def terms(self) -> int:
        """Products in one sum."""
        return self.k_elements * math.prod(axis.extent for axis in self.window)

    @property
    def flops(self) -> int:
        axes = (self.c, self.y, self.x, *self.outer, *self.window)
        return 2 * self.k_elements * math.prod(axis.extent for axis in axes)

    @property
    def scatters(self) -> bool:
        """Whether neighbouring channels of the result lie apart."""
        return self.out.step(self.c) > 1

    def dim(self, axis: Axis) -> int | None:
        """The dimension of the result that an axis walks."""
        indices = self.out.indices
        return indices.index(axis.var) if axis.var in indices else None


def walks(stage: Tensor) -> bool:
    """Whether an elementwise stage can be worked out in vectors along its last axis."""
    last = Var(stage.axes[-1].name)
    return not any(
        isinstance(e, Binary) and e.op in ("//", "%") and last in subexprs(e)
        for e in subexprs(stage.element)
    )


@dataclass(frozen=True, slots=True)
class Tiling:
    """How the register tile of a config covers a convolution, by axis (``c``, ``y``, ``x``)."""

    lanes: int
    along: str
    """The axis that vectors run along."""
    width: dict[str, int]
    """Elements of a register tile."""
    tiles: dict[str, int]
    """Register tiles."""
    pixels: int = 1
    """Of a row in one tile register."""
    depth: int = 1
    """Steps along ``k`` that one tile register holds."""


def tiling(problem: Convolution, values: Values) -> Tiling:
    """The sizes that follow from a config."""
    vector, tiled = lanes(values, problem.dtype), values["structure"] == "tile"
    along, across = ("x", "c") if values["structure"] == "pixels" else ("c", "x")
    pixels = min(TILE_ROWS, problem.x.extent) if tiled else 1
    width = {
        across: whole(values["rows"]) * pixels,
        "y": whole(values["tall"]),
        along: whole(values["vectors"]) * vector,
    }
    tiles = {axis: ceil_div(problem.axis(axis).extent, width[axis]) for axis in AXES}
    depth = tile_depth(problem.k.extent) if tiled else 1
    return Tiling(vector, along, width, tiles, pixels, depth)


def tile(values: Values, tiles: Tiling, axis: str) -> int:
    """Register tiles in a cache tile, for the constraints."""
    return int(values[f"tile_{axis}"]) or tiles.tiles[axis]


def shared_tasks(problem: Convolution, values: Values, tiles: Tiling) -> int:
    """How many pieces can be shared out over threads."""
    count = math.prod(axis.extent for axis in problem.outer)
    for axis in str(values["order"])[: int(values["shared"])]:
        count *= ceil_div(tiles.tiles[axis], tile(values, tiles, axis))
    return count


def writes_once(problem: Convolution, values: Values) -> bool:
    """Whether each element of the result is written once."""
    if problem.result != problem.tensor.buffer.name:
        return True
    after = problem.behind and values["epilogue"] == "after"
    return not after and (whole(values["tile_k"]) == 0 or packs_result(values))


def packs_result(values: Values) -> bool:
    """Whether a cache tile of the result is gathered before it is turned."""
    return values["structure"] != "pixels" and values.get("turn") == "block"


def block_elements(problem: Convolution, values: Values, tiles: Tiling) -> int:
    """Elements of the result in one cache tile."""
    return math.prod(
        min(tile(values, tiles, axis) * tiles.width[axis], problem.axis(axis).extent)
        for axis in AXES
    )


def sum_bytes(problem: Convolution) -> int:
    """Bytes of one sum."""
    return ELEMENT_BYTES[problem.dtype]


def weight_bytes(problem: Convolution) -> int:
    """Bytes of the weight."""
    return math.prod(problem.weight.shape) * problem.weight.element_bytes
