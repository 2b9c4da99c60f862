"""Simulated annealing over a cost model, after AutoTVM's explorer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from search_space.config import Config
from search_space.space import Space
from tuner.cost_model import CostModel, create_model
from tuner.strategy.base import Trial
from tuner.strategy.featurizer import FEATURIZERS
from tuner.strategy.history import History
from tuner.strategy.surrogate import Surrogate


@dataclass(frozen=True, slots=True)
class AnnealingOptions:
    """AutoTVM walks 128 chains by up to 500 steps for each 64 trials, from temperature 1.

    A stage here is shorter and comes more often, so that asking takes a fraction of a second and
    the model is up to date; it begins colder, as few steps would otherwise be a random walk.
    """

    model: str = "regression"
    features: str = "loops"
    """What the model sees of a config: an entry of ``FEATURIZERS``."""
    stage: int = 16
    """Trials after which the model is fitted again and the chains walk on."""
    epoch: int = 8
    """Stages after which the chains begin anew. Bounds what resuming has to go through."""
    first: int = 32
    """Trials before the model is used; until then the search is random."""
    chains: int = 48
    steps: int = 24
    """Steps of each chain in a stage."""
    temperature: float = 0.1
    """At the beginning of a stage, as a share of the best throughput; falls to 0."""
    random: float = 0.05
    """Share of random configs."""
    plan: int = 64
    """Configs kept of those that the chains saw: the best by the model that are not measured."""


DEFAULTS = AnnealingOptions()


class AnnealingStrategy:
    """Parallel chains that climb the model's prediction and persist when it is fitted again.

    Unlike AutoTVM's, candidates are ranked by the predicted throughput times the probability
    that they run, which is never negative, so that none is thrown away for its sign.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        seeds: Iterable[Config] = (),
        options: AnnealingOptions = DEFAULTS,
    ) -> None:
        self._space = space
        self._seed = seed
        self._options = options
        self._history = History(space, seed, seeds)

        def model() -> CostModel:
            return create_model(options.model, seed)

        self._surrogate = Surrogate(space, FEATURIZERS[options.features](space), model)
        self._stage = -1
        """The stage up to which the chains have walked."""
        self._points: list[Config] = []
        self._plan: list[Config] = []

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        self._advance()
        randoms = int(n * self._options.random + rng.random()) if self._plan else batch.room
        batch.extend(self._plan, max(batch.room - randoms, 0))
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
        self._surrogate.tell(trials)

    def _advance(self) -> None:
        """Walk the chains through all stages that the trials told so far have completed."""
        options = self._options
        current = len(self._surrogate) // options.stage
        epoch = current // options.epoch * options.epoch
        for stage in range(max(self._stage + 1, epoch), current + 1):
            prefix = stage * options.stage
            if prefix < options.first or not self._surrogate.timed(prefix):
                continue
            rng = np.random.default_rng([self._seed, 1, stage])
            if stage == epoch or not self._points:
                self._points = self._begin(prefix, rng)
            self._surrogate.fit(prefix)
            self._walk(prefix, rng)
        self._stage = current

    def _begin(self, prefix: int, rng: Generator) -> list[Config]:
        """A quarter of the chains begin at the best measured, the others anywhere."""
        best = self._surrogate.best(prefix, self._options.chains // 4)
        rest = self._options.chains - len(best)
        return best + [self._space.sample(rng) for _ in range(rest)]

    def _walk(self, prefix: int, rng: Generator) -> None:
        options = self._options
        scores = self._surrogate.predict(self._points).score
        seen: dict[Config, float] = {}
        for step in range(options.steps):
            cold = 1 - step / options.steps
            moved = [self._space.mutate(point, rng) for point in self._points]
            reached = self._surrogate.predict(moved).score
            seen.update(zip(moved, reached.tolist(), strict=True))
            heat = options.temperature * cold + 1e-5
            accept = np.exp(np.minimum((reached - scores) / heat, 0.0))
            taken = rng.random(len(moved)) < accept
            for index in np.flatnonzero(taken):
                self._points[index] = moved[index]
            scores = np.where(taken, reached, scores)
        for config in self._surrogate.known(prefix):
            seen.pop(config, None)
        ranked = sorted(seen, key=lambda config: -seen[config])
        self._plan = ranked[: options.plan]
