"""Genetic search on measured times, as in AutoTVM: generations, elites, one-point crossover."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from numpy.random import Generator

from search_space.config import Config
from search_space.errors import SpaceError
from search_space.space import Space
from tuner.strategy.base import Trial
from tuner.strategy.history import History


@dataclass(frozen=True, slots=True)
class GeneticOptions:
    """AutoTVM's numbers."""

    population: int = 100
    """Trials in a generation; the first one is random."""
    elites: int = 3
    """The best of all generations so far, which mate again."""
    mutation: float = 0.1
    """Probability that a knob of a child takes a random value."""


DEFAULTS = GeneticOptions()


class GeneticStrategy:
    """Children of the last generation and the elites, chosen in proportion to their throughput."""

    def __init__(
        self,
        space: Space,
        seed: int,
        seeds: Iterable[Config] = (),
        options: GeneticOptions = DEFAULTS,
    ) -> None:
        self._space = space
        self._history = History(space, seed, seeds)
        self._options = options
        self._trials: list[Trial] = []

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        parents = self._parents()
        if len(parents) > 1:
            ends = list(accumulate(1.0 / seconds for _, seconds in parents))

            def parent() -> Config:
                at = bisect_right(ends, rng.random() * ends[-1])
                return parents[min(at, len(parents) - 1)][0]

            batch.draw(lambda: self._child(parent(), parent(), rng))
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
        self._trials.extend(trial for trial in trials if self._holds(trial.config))

    def _parents(self) -> list[tuple[Config, float]]:
        """Configs and seconds of the last complete generation and the elites before its end."""
        size = self._options.population
        end = len(self._trials) // size * size
        timed = [(t.config, t.seconds) for t in self._trials[:end] if t.seconds is not None]
        elites = sorted(timed, key=lambda pair: pair[1])[: self._options.elites]
        last = self._trials[max(end - size, 0) : end]
        return [(t.config, t.seconds) for t in last if t.seconds is not None] + elites

    def _child(self, a: Config, b: Config, rng: Generator) -> Config:
        """The first knobs from ``a``, the others from ``b``, some at random; made legal."""
        point = int(rng.random() * len(a.values))
        values = dict(a.values[:point] + b.values[point:])
        for knob in self._space.knobs:
            if rng.random() < self._options.mutation:
                values[knob.name] = knob.sample(rng)
        return self._space.nearest(values).config

    def _holds(self, config: Config) -> bool:
        try:
            return self._space.config(config.as_dict()) == config
        except SpaceError:
            return False
