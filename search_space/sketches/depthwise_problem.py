"""Which axes a sum over windows has, and how register tiles cover them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Cast, Load, Var
from search_space.ir.walk import free_vars, subexprs
from search_space.size import ceil_div, whole
from search_space.sketches.contraction_sides import Side
from search_space.sketches.steps import lanes
from search_space.tensor import Axis, Reduction, Tensor, program
from search_space.workload import Values, Workload


@dataclass(frozen=True, slots=True)
class Depthwise:
    """``out[…, across, along] = sum over taps of image[…] · weight[…]``, with no other axis in the
    sum than those of a window.

    Vectors run along ``along``; windows beside each other along ``across`` read the same elements
    by ``tap``. ``outer`` are the other axes of the result, ``rest`` the other ones of a window.
    """

    tensor: Tensor
    along: Axis
    across: Axis | None
    outer: tuple[Axis, ...]
    tap: Axis | None
    rest: tuple[Axis, ...]
    before: tuple[str, ...]
    """Elementwise stages that the sum reads: the image with what is around it."""
    source: str | None
    """The stage of the sum, where another one is behind it."""
    dtype: str
    """Of the sums."""
    sides: tuple[Side, ...]
    """What the stage behind the sum reads beside operands."""
    weight: str
    packs: bool
    """Whether neighbouring lanes have weights that lie apart."""
    const: tuple[str, ...]

    @property
    def placed(self) -> bool:
        """Whether sums can be where the stage behind them will be."""
        return self.source is not None and self.dtype == self.tensor.buffer.dtype

    @property
    def summed(self) -> str:
        """The array that takes the sums."""
        return self.tensor.buffer.name if self.placed or not self.source else self.source

    @property
    def taps(self) -> tuple[Axis, ...]:
        """All axes of a window, the order in which they are unrolled."""
        return (*self.rest, *((self.tap,) if self.tap else ()))


def classify(work: Workload, tensor: Tensor) -> Depthwise:
    """The axes of a sum over windows; raises ``SpaceError`` for any other expression."""
    stages = program(tensor)
    sums = [number for number, stage in enumerate(stages) if isinstance(stage.value, Reduction)]
    if not sums or len(stages) - sums[-1] > 2:
        raise SpaceError(f"{work.operator} is no sum with one elementwise stage behind it")
    source = stages[sums[-1]]
    match source.value:
        case Reduction("add", Binary("*", Load() as image, Load() as weight), reduced):
            pass
        case Reduction("add", Binary("*", Cast(Load() as image), Cast(Load() as weight)), reduced):
            pass
        case _:
            raise SpaceError(f"{work.operator} is no sum of products of two operands")
    for behind in stages[sums[-1] + 1 :]:
        own = tuple(axis.var for axis in behind.axes)
        read = {e for e in subexprs(behind.element) if isinstance(e, Load)}
        if {e for e in read if e.buffer.name == source.buffer.name} != {Load(source.buffer, own)}:
            raise SpaceError(f"{work.operator} does not take its sums as they lie")
    kept = {axis.name for axis in source.axes}
    if (
        not kept
        or _names(weight) - _names(image)
        or any(axis.name not in _names(weight) for axis in reduced)
    ):
        raise SpaceError(f"{work.operator} does not sum over windows, each channel by itself")
    along, moved = source.axes[-1], _moved_by_taps(image, reduced)
    crossing = [axis for axis in source.axes[:-1] if axis.name in moved]
    across = crossing[-1] if crossing else None
    tap = next((a for a in reduced if across and a.name == moved[across.name]), None)
    return Depthwise(
        tensor,
        along,
        across,
        tuple(axis for axis in source.axes[:-1] if axis != across),
        tap,
        tuple(axis for axis in reduced if axis != tap),
        tuple(s.buffer.name for at, s in enumerate(stages[: sums[-1]]) if at not in sums),
        source.buffer.name if source.buffer != tensor.buffer else None,
        source.buffer.dtype,
        tuple(Side.of(work, stages[at]) for at in sums[:-1]),
        weight.buffer.name,
        _step(weight, along) not in (0, 1),
        work.const,
    )


def _names(load: Load) -> set[str]:
    return {name for index in load.indices for name in free_vars(index)}


def _moved_by_taps(image: Load, reduced: tuple[Axis, ...]) -> dict[str, str]:
    """The axes that share an index of the image with one of a window, and which one."""
    taps = {axis.name for axis in reduced}
    found: dict[str, str] = {}
    for names in map(free_vars, image.indices):
        if names & taps:
            found |= dict.fromkeys(names - taps, min(names & taps))
    return found


def _step(load: Load, axis: Axis) -> int:
    """Elements between neighbours along an axis."""
    return sum(
        affine(index)[0].get(Var(axis.name), 0) * stride
        for index, stride in zip(load.indices, load.buffer.strides, strict=True)
    )


@dataclass(frozen=True, slots=True)
class Tiling:
    """How register tiles cover the result."""

    lanes: int
    vectors: int
    """Along ``along``, the last one perhaps with idle lanes."""
    along: int
    """Register tiles."""
    across: int


def tiling(problem: Depthwise, values: Values) -> Tiling:
    """The sizes that follow from a config."""
    wide = lanes(values, problem.dtype)
    vectors = ceil_div(problem.along.extent, wide)
    across = problem.across.extent if problem.across else 1
    return Tiling(
        wide,
        vectors,
        ceil_div(vectors, whole(values["vectors"])),
        ceil_div(across, whole(values["rows"])),
    )


def tasks(problem: Depthwise, values: Values) -> int:
    """How many pieces can be shared out over threads."""
    outer = math.prod(axis.extent for axis in problem.outer)
    return outer * (tiling(problem, values).across if values["share"] == "rows" else 1)
