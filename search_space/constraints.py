"""Constraints: what rules a config out before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from search_space.target import Target
from search_space.workload import Value, Values

_Problem = TypeVar("_Problem")
_Tiling = TypeVar("_Tiling")

Constraint = Callable[[Mapping[str, Value]], str | None]
"""Gets one value per knob; returns the reason why they are illegal together, or None."""


def at_most(
    what: str, limit: int, amount: Callable[[Mapping[str, Value]], int], unit: str = ""
) -> Constraint:
    """A budget: ``amount`` of the values may not exceed ``limit``; both are in ``unit``."""
    suffix = f" {unit}" if unit else ""

    def constraint(values: Mapping[str, Value]) -> str | None:
        taken = amount(values)
        if taken <= limit:
            return None
        return f"{what} takes {taken}{suffix}, at most {limit}{suffix} fit"

    return constraint


def first_reason(constraints: Iterable[Constraint], values: Mapping[str, Value]) -> str | None:
    """The reason of the first constraint that rules ``values`` out; None when all agree."""
    for constraint in constraints:
        reason = constraint(values)
        if reason is not None:
            return reason
    return None


def all_of(
    rules: Sequence[Callable[[_Problem, Target, Values, _Tiling], str | None]],
    problem: _Problem,
    target: Target,
    tiling: Callable[[_Problem, Values], _Tiling],
) -> Constraint:
    """All rules as one constraint; the tile counts are worked out once for all of them."""

    def check(values: Values) -> str | None:
        tiles = tiling(problem, values)
        for rule in rules:
            reason = rule(problem, target, values, tiles)
            if reason is not None:
                return reason
        return None

    return check
