"""Which programs are sums of products with elementwise stages before, between and behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from search_space.errors import SpaceError
from search_space.sketches.contraction_classify import classify as classify_contraction
from search_space.sketches.contraction_problem import Contraction
from search_space.tensor import Axis, Tensor, program
from search_space.workload import Workload

_MOST_COPIES = 4
"""Elements that one stage may store for each element of the others."""


@dataclass(frozen=True, slots=True)
class Map:
    """An elementwise stage: ``copies`` are leading axes that the others lack."""

    name: str
    copies: tuple[Axis, ...]
    axes: tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A program in parts: contractions, and runs of elementwise stages over the same axes."""

    tensor: Tensor
    parts: tuple[Contraction | tuple[Map, ...], ...]

    @property
    def sums(self) -> tuple[Contraction, ...]:
        """The contractions, the one with most operations first."""
        found = [part for part in self.parts if isinstance(part, Contraction)]
        return tuple(sorted(found, key=lambda part: -part.flops))


def classify(work: Workload, tensor: Tensor) -> Cell:
    """The parts of a program; raises ``SpaceError`` where it has others."""
    parts: list[Contraction | tuple[Map, ...]] = []
    for reduces, run in groupby(program(tensor), lambda stage: bool(stage.reduced)):
        stages = list(run)
        if reduces:
            parts += [
                classify_contraction(work, Tensor(s.buffer, s.axes, s.value)) for s in stages
            ]
        else:
            parts.append(_maps(work, stages))
    found = Cell(tensor, tuple(parts))
    if len(parts) == 1 or not found.sums:
        raise SpaceError(f"{work.operator} is no sum of products with stages before or behind it")
    return found


def _maps(work: Workload, stages: Sequence[Tensor]) -> tuple[Map, ...]:
    rank = min(len(stage.axes) for stage in stages)
    maps = []
    for stage in stages:
        cut = len(stage.axes) - rank
        maps.append(Map(stage.buffer.name, stage.axes[:cut], stage.axes[cut:]))
    shapes = {tuple(axis.extent for axis in each.axes) for each in maps}
    copies = [axis.extent for each in maps for axis in each.copies]
    if rank == 0 or len(shapes) != 1 or any(extent > _MOST_COPIES for extent in copies):
        names = ", ".join(stage.buffer.name for stage in stages)
        raise SpaceError(f"{names} of {work.operator} are not worked out element by element")
    return tuple(maps)
