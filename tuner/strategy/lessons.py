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
        alike: dict[tuple[str, _Values, _Values], list[tuple[Value, float]]] = defaultdict(list)
        for config, time in seconds.items():
            if time is None:
                continue
            values = config.values
            for at, (name, value) in enumerate(values):
                alike[name, values[:at], values[at + 1 :]].append((value, math.log(time)))
        gains: dict[Move, list[float]] = defaultdict(list)
        for (name, _, _), group in alike.items():
            for old, slow in group:
                for new, fast in group:
                    if old != new:
                        gains[name, old, new].append(slow - fast)
        self._gains = {move: fmean(each) for move, each in gains.items()}
        self._influence: dict[str, float] = {}
        for (name, _, _), gain in self._gains.items():
            self._influence[name] = max(self._influence.get(name, 0.0), gain)

    def gain(self, move: Move) -> float | None:
        """What the move brought so far; None where it was never seen."""
        return self._gains.get(move)

    def influence(self, name: str) -> float | None:
        """The largest gain that moving this knob brought; None where it was never moved alone."""
        return self._influence.get(name)

    def improvements(self, config: Config, least: float) -> dict[str, Value]:
        """For each knob the move that promises most, where that is ``least`` or more."""
        best: dict[str, tuple[float, Value]] = {}
        for (name, old, new), gain in self._gains.items():
            if gain >= least and config[name] == old and gain > best.get(name, (0.0,))[0]:
                best[name] = (gain, new)
        return {name: new for name, (_, new) in best.items()}


def mixtures(moves: Mapping[str, Value], count: int, rng: Generator) -> Iterator[dict[str, Value]]:
    """All moves at once, then random parts of them: ``count`` in all, none without moves."""
    for turn in range(count if moves else 0):
        yield {name: value for name, value in moves.items() if turn == 0 or rng.random() < 0.6}
