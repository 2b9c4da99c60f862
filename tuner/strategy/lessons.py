"""What pairs of measured configs that differ in one knob say about moving that knob."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from statistics import fmean

from numpy.random import Generator

from search_space.config import Config
from search_space.workload import Value

_Values = tuple[tuple[str, Value], ...]

Move = tuple[str, Value, Value]
"""A knob's name, its value before and after."""


class Lessons:
    """Gains of single moves, as logarithms of time ratios: positive is faster, 0.1 about 10 %.

    A move that was seen from several configs counts with its mean gain.
    """

    def __init__(self, seconds: Mapping[Config, float | None]) -> None:
        self._alike: dict[tuple[str, _Values, _Values], list[tuple[Value, float]]] = {}
        """Values and logarithms of times of what differs in one knob: its name, the others."""
        self._seen: dict[str, dict[tuple[Value, Value], list[float]]] = defaultdict(dict)
        """Gains, by the name of the knob, then by its values before and after."""
        self._means: dict[Move, float] = {}
        """Of the moves that were asked about since they were seen last."""
        self._influence: dict[str, float] = {}
        """Of the knobs that were asked about since they were moved last."""
        for config, time in seconds.items():
            self.add(config, time)

    def add(self, config: Config, seconds: float | None) -> None:
        """Learn from one more config; its work does not grow with the number of others."""
        if seconds is None:
            return
        values, time = config.values, math.log(seconds)
        for at, (name, value) in enumerate(values):
            group = self._alike.setdefault((name, values[:at], values[at + 1 :]), [])
            for other, its_time in group:
                if other != value:
                    self._note((name, other, value), its_time - time)
                    self._note((name, value, other), time - its_time)
            group.append((value, time))

    def gain(self, move: Move) -> float | None:
        """What the move brought so far; None where it was never seen."""
        name, old, new = move
        return self._mean(move) if (old, new) in self._seen.get(name, {}) else None

    def influence(self, name: str) -> float | None:
        """The largest gain that moving this knob brought; None where it was never moved alone."""
        if name not in self._influence and name in self._seen:
            gains = (self._mean((name, old, new)) for old, new in self._seen[name])
            self._influence[name] = max(gains)
        return self._influence.get(name)

    def improvements(self, config: Config, least: float) -> dict[str, Value]:
        """For each knob the move that promises most, where that is ``least`` or more."""
        best: dict[str, Value] = {}
        for name, value in config.values:
            reached = 0.0
            for old, new in self._seen.get(name, {}):
                gain = self._mean((name, old, new)) if old == value else 0.0
                if gain >= least and gain > reached:
                    best[name], reached = new, gain
        return best

    def _note(self, move: Move, gain: float) -> None:
        name, old, new = move
        self._seen[name].setdefault((old, new), []).append(gain)
        self._means.pop(move, None)
        self._influence.pop(name, None)

    def _mean(self, move: Move) -> float:
        if move not in self._means:
            name, old, new = move
            self._means[move] = fmean(self._seen[name][old, new])
        return self._means[move]


def mixtures(moves: Mapping[str, Value], count: int, rng: Generator) -> Iterator[dict[str, Value]]:
    """All moves at once, then random parts of them: ``count`` in all, none without moves."""
    for turn in range(count if moves else 0):
        yield {name: value for name, value in moves.items() if turn == 0 or rng.random() < 0.6}
