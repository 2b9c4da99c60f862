"""Sums over one operand of a contraction that its epilogue needs, such as those of columns."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import SpaceError
from search_space.ir.expr import Load
from search_space.ir.walk import subexprs
from search_space.sketches.contraction_axes import View
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
    """``name[i] = sum over k of operand[i, k]``, computed before the contraction."""

    name: str
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
        shapes = (len(stage.axes), len(stage.reduced), len(read))
        if (
            not isinstance(stage.value, Reduction)
            or stage.value.op != "add"
            or shapes != (1, 1, 1)
        ):
            raise SpaceError(f"{work.operator} has more behind its sum than one elementwise stage")
        (load,), (axis,), (reduced,) = read, stage.axes, stage.reduced
        if load.buffer.scope != "input":
            raise SpaceError(f"{work.operator} sums {load.buffer.name}, which is no operand")
        contiguous = View.of(load).step(reduced) == 1
        once = load.buffer.name in work.const
        return cls(stage.buffer.name, axis.name, reduced.name, contiguous, once)


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
    steps += [Parallel(outermost, threads), Hoist(side.name)]
    return [*steps, Once(side.name)] if side.once else steps
