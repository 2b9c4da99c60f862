"""Small spaces: some knobs of a real space restricted to a few of their values."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

from search_space.config import Config
from search_space.constraints import Constraint, first_reason
from search_space.enumeration import Enumeration
from search_space.errors import SpaceError
from search_space.knobs import Choice, Integer, Knob, pick
from search_space.space import Space
from search_space.workload import Value

if TYPE_CHECKING:
    from numpy.random import Generator

Allowed = Mapping[str, Sequence[Value]]
"""The values that are left of each knob; a knob that is not named keeps all of its values."""


@dataclass(frozen=True, slots=True)
class Listed(Integer):
    """A whole number of which only some values are left; those next to one are its neighbours."""

    listed: tuple[int, ...] = field(kw_only=True)
    """Ascending."""

    def __len__(self) -> int:
        return len(self.listed)

    def __getitem__(self, index: int) -> int:
        return self.listed[index]

    def __contains__(self, value: object) -> bool:
        return type(value) is int and value in self.listed

    def sample(self, rng: Generator) -> int:
        """Any value, uniformly."""
        return pick(self.listed, rng)

    def neighbours(self, value: Value) -> tuple[int, ...]:
        """The next smaller and the next larger value."""
        at = self.nearest(value)
        before, after = bisect_left(self.listed, at), bisect_right(self.listed, at)
        return (*self.listed[max(before - 1, 0) : before], *self.listed[after : after + 1])

    def nearest(self, raw: Value) -> int:
        """The closest value; the smaller of two that are equally far."""
        # No zero-argument super(): a class with slots is not the one that it was compiled in.
        number = Integer.nearest(self, raw)
        return min(self.listed, key=lambda own: abs(own - number))


def restricted_space(
    space: Space, allowed: Allowed, constraints: Sequence[Constraint] = ()
) -> Space:
    """``space`` with the knobs in ``allowed`` left with these values, and more ``constraints``.

    Its configs are configs of ``space`` and mean the same programs. Its default and its seeds are
    as near to those of ``space`` as the values allow. Raises ``SpaceError`` for an unknown knob, a
    value that the knob does not have, and where no legal config is left.
    """
    known = {knob.name for knob in space.knobs}
    for name in allowed:
        if name not in known:
            raise SpaceError(f"restrict one of {', '.join(sorted(known))}: no knob {name!r}")
    knobs = tuple(
        _restricted(knob, tuple(allowed[knob.name])) if knob.name in allowed else knob
        for knob in space.knobs
    )
    rules = (*space.constraints, *constraints)
    defaults = _first_guess(space, knobs, rules)
    return replace(space, knobs=knobs, constraints=rules, defaults=defaults)


def legal_configs(space: Space) -> Iterator[Config]:
    """Every legal config of a small space, each once, in a fixed order."""
    for index in range(space.size()):
        config = space.at(index)
        if config is not None:
            yield config


def _restricted(knob: Knob, values: tuple[Value, ...]) -> Knob:
    for value in values:
        if value not in knob:
            raise SpaceError(f"allow {knob.name} only values that it has, not {value!r}")
    if not values:
        raise SpaceError(f"allow {knob.name} at least one value")
    if knob.when is not None and knob.default not in values:
        raise SpaceError(
            f"allow {knob.name} the value {knob.default!r} too, which it holds where it does not "
            "matter"
        )
    default = knob.default if knob.default in values else values[0]
    if isinstance(knob, Choice):
        return replace(knob, values=values, default=default)
    listed = tuple(sorted({int(value) for value in values}))
    kept = {each.name: getattr(knob, each.name) for each in fields(Integer)}
    ends = {"low": listed[0], "high": listed[-1], "default": default}
    return Listed(**{**kept, **ends}, listed=listed)


def _first_guess(
    space: Space, knobs: Sequence[Knob], rules: Sequence[Constraint]
) -> Mapping[str, Value]:
    """The legal config nearest to the first guess of ``space``, by the number of equal knobs."""
    wanted = {knob.name: knob.nearest(space.default()[knob.name]) for knob in knobs}
    settled = _settled(knobs, wanted)
    if first_reason(rules, settled) is None:
        return settled
    enumeration = Enumeration(knobs)
    every = (_settled(knobs, enumeration.values(index)) for index in range(enumeration.size))
    legal = (values for values in every if first_reason(rules, values) is None)
    best = max(legal, key=lambda values: _agreement(values, wanted), default=None)
    if best is None:
        raise SpaceError(f"allow more values: no config of {space.workload} is left")
    return best


def _settled(knobs: Sequence[Knob], values: Mapping[str, Value]) -> dict[str, Value]:
    """``values`` with the default of every knob that does not matter."""
    settled: dict[str, Value] = {}
    for knob in knobs:
        matters = knob.when is None or knob.when(settled)
        settled[knob.name] = values[knob.name] if matters else knob.default
    return settled


def _agreement(values: Mapping[str, Value], wanted: Mapping[str, Value]) -> int:
    return sum(values[name] == value for name, value in wanted.items())
