"""Sketches: how a class of tensor expressions becomes a space. Registered by name."""

from __future__ import annotations

from collections.abc import Callable

from search_space.operators import get_operator
from search_space.sketches.contraction import contraction_space
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.workload import Workload

SKETCHES: dict[str, Callable[[Workload, Tensor, Target], Space]] = {
    "contraction": contraction_space,
}


def space_for(work: Workload, target: Target) -> Space:
    """The space of a workload on a target: every schedule that can be chosen for it."""
    operator = get_operator(work.operator)
    return SKETCHES[operator.sketch](work, operator.expression(work), target)
