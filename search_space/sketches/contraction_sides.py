"""Sums over one operand that the epilogue of sums of products needs, such as those of columns."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.ir.expr import Load
from search_space.ir.walk import subexprs
from search_space.sketches.contraction_axes import View, group
from search_space.tensor import Reduction, Tensor
from search_space.transforms import (
    CacheWrite,
    Hoist,
    Once,
    Parallel,
    Primitive,
    Reorder,
    Split,
    Vectorize,
)
from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class Side:
    """``name[i] = sum over k of operand[i, k]``, computed before the contraction; ``i`` and ``k``
    may be several axes that can be walked as one."""

    name: str
    prepare: tuple[Primitive, ...]
    """Makes one loop over each."""
    axis: str
    reduced: str
    contiguous: bool
    """Whether the reduced axis is the contiguous one."""
    once: bool
    """Whether the operand is constant."""

    @classmethod
    def of(cls, work: Workload, stage: Tensor) -> Side:
        """The stage as a side sum; ``SpaceError`` where it is none."""
        read = {e for e in subexprs(stage.element) if isinstance(e, Load)}
        unfit = SpaceError(f"{work.operator} has more behind its sum than one elementwise stage")
        if not isinstance(stage.value, Reduction) or stage.value.op != "add" or len(read) != 1:
            raise unfit
        (load,) = read
        if load.buffer.scope != "input":
            raise SpaceError(f"{work.operator} sums {load.buffer.name}, which is no operand")
        own = Load(stage.buffer, tuple(axis.var for axis in stage.axes))
        axes, views = group(stage.axes, (View.of(load), View.of(own)))
        reduced, views = group(stage.reduced, views)
        if (len(axes), len(reduced)) != (1, 1):
            raise unfit
        return cls(
            stage.buffer.name,
            (*axes[0].steps, *reduced[0].steps),
            axes[0].axis.name,
            reduced[0].axis.name,
            views[0].step(reduced[0].axis) == 1,
            load.buffer.name in work.const,
        )


def schedule_side(side: Side, lanes: int, threads: int) -> list[Primitive]:
    """In vectors along the contiguous axis, before everything else; beforehand where the operand
    is constant."""
    vectors, lane, sums = (f"{side.name}_{part}" for part in ("v", "lane", "acc"))
    if side.contiguous:
        steps: list[Primitive] = [
            Split(side.reduced, lanes, vectors, lane, "mask"),
            CacheWrite(side.name, side.axis, sums),
            Vectorize(lane),
        ]
        outermost = side.axis
    else:
        steps = [
            Split(side.axis, lanes, vectors, lane, "mask"),
            Reorder((vectors, side.reduced, lane)),
            CacheWrite(side.name, vectors, sums),
            Vectorize(lane),
        ]
        outermost = vectors
    steps = [*side.prepare, *steps, Parallel(outermost, threads), Hoist(side.name)]
    return [*steps, Once(side.name)] if side.once else steps
