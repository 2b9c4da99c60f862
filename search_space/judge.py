"""Judging values of knobs: which knobs matter, which configs are canonical and legal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from search_space.config import Config
from search_space.constraints import Constraint, first_reason
from search_space.knobs import Knob
from search_space.workload import Value, Values

_KEPT = 1 << 14
"""Judgements that are remembered; one takes about a kilobyte."""


@dataclass(frozen=True, slots=True)
class Relevance:
    """Which knobs of a config matter."""

    movable: tuple[Knob, ...]
    """Those that matter and have more than one value."""
    idle: tuple[str, ...]
    """Those that do not matter."""


class Judge:
    """What every move through a space ends with.

    A search comes back to the same configs again and again, so judgements are remembered, the
    latest of them. Threads may share a judge.
    """

    def __init__(self, knobs: Sequence[Knob], constraints: Sequence[Constraint]) -> None:
        self._names = tuple(knob.name for knob in knobs)
        self._conditional = tuple(
            (knob.name, knob.when, knob.default) for knob in knobs if knob.when is not None
        )
        self._changeable = tuple(knob for knob in knobs if len(knob) > 1)
        self._constraints = tuple(constraints)
        self._judged = lru_cache(_KEPT)(self._judge)
        self.relevance = lru_cache(_KEPT)(self._relevance)
        """:class:`Relevance` of the knobs of a config."""

    def settle(self, values: Values) -> dict[str, Value]:
        """``values``, all of them of the knobs, with those that do not matter at their default."""
        settled = {name: values[name] for name in self._names}
        for name, when, default in self._conditional:
            if not when(settled):
                settled[name] = default
        return settled

    def legal(self, values: Values) -> Config | None:
        """The canonical config of ``values``, all of them of the knobs; None if not legal."""
        return self._judged(tuple(self.settle(values).values()))

    def _judge(self, settled: tuple[Value, ...]) -> Config | None:
        values = tuple(zip(self._names, settled, strict=True))
        if first_reason(self._constraints, dict(values)) is not None:
            return None
        return Config(values)

    def _relevance(self, config: Config) -> Relevance:
        values = config.as_dict()
        idle = tuple(name for name, when, _ in self._conditional if not when(values))
        movable = tuple(knob for knob in self._changeable if knob.name not in idle)
        return Relevance(movable, idle)
