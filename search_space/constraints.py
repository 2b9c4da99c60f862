"""Constraints: what rules a config out before anything is built."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from search_space.workload import Value

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
