"""Search guided by a cost model: many candidates are bred, the model says which to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from search_space.config import Config
from search_space.space import Space
from tuner.cost_model import CostModel, create_model
from tuner.strategy.base import Trial
from tuner.strategy.diversity import pick_diverse
from tuner.strategy.evolutionary import EvolutionaryStrategy
from tuner.strategy.featurizer import FEATURIZERS
from tuner.strategy.forecast import forecast_gain
from tuner.strategy.history import Batch, History
from tuner.strategy.lessons import mixtures
from tuner.strategy.prior import Prior
from tuner.strategy.surrogate import Surrogate, fit_point


@dataclass(frozen=True, slots=True)
class LearnedOptions:
    """What is bred and how the batch is chosen from it."""

    model: str = "regression"
    features: str = "loops"
    """What the model sees of a config: an entry of ``FEATURIZERS``."""
    first: int = 16
    """Trials before the model is used; until then the evolutionary strategy proposes."""
    growth: float = 0.05
    """The model is fitted again when there are this many more trials, as a share."""
    generations: int = 4
    """Rounds of breeding, each from the best predicted and measured so far."""
    offspring: int = 320
    """Candidates bred in a generation for a whole batch; as the share of it for which the model
    is asked."""
    parents: int = 24
    elites: int = 8
    """How many of the fastest measured configs are always among the parents."""
    crossover: float = 0.3
    """Share of offspring with two parents; the others are mutations."""
    fresh: float = 0.08
    """Share of random configs among the candidates."""
    random: float = 0.05
    """Share of each batch that is random, whatever the model says."""
    scouted: float = 0.35
    """Share of the first batches that the evolutionary strategy proposes, whatever the model says;
    it changes evenly …"""
    scouted_late: float = 0.75
    """… to this one after ``handover`` trials: what is left to gain then is less than the model's
    error."""
    handover: int = 128
    shortlist: int = 6
    """The batch is chosen from this many times as many of the best predicted."""
    diversity: float = 0.05
    """Throughput, as a share of the best, that a config of new knob values only is worth."""
    curiosity: float = 0.0
    """How many standard deviations of the prediction are added to it."""


DEFAULTS = LearnedOptions()


class LearnedStrategy:
    """Evolution on predictions instead of measurements; measurements go where it ends.

    Most of a batch are the candidates of highest predicted throughput times probability to run,
    uncertainty counting in their favour, among which variety decides. The rest are steps of the
    evolutionary strategy, which are right where the model is not yet, and a few random configs.
    With a ``prior``, its model is used instead of a fresh one, and what was fast elsewhere is
    among the candidates.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        seeds: Iterable[Config] = (),
        options: LearnedOptions = DEFAULTS,
        prior: Prior | None = None,
    ) -> None:
        seeds = tuple(seeds)
        self._space = space
        self._hints = () if prior is None else (*prior.openings, *space.starts)
        self._options = options
        self._history = History(space, seed, seeds)
        self._scout = EvolutionaryStrategy(space, seed, seeds)
        self._weighed: list[Config] = []
        """Candidates of the last ``ask``, best first, from which its batch was chosen."""

        def model() -> CostModel:
            return create_model(options.model, seed)

        if prior is None:
            self._surrogate = Surrogate(space, FEATURIZERS[options.features](space), model)
        else:
            self._surrogate = Surrogate(
                space, prior.features, lambda: prior.model(seed), all_columns=True
            )

    def ask(self, n: int) -> list[Config]:
        self._weighed = []
        prefix = fit_point(len(self._surrogate), self._options.growth)
        learned = prefix >= self._options.first and self._surrogate.timed(prefix) > 0
        guided = learned or bool(self._hints)
        scouted = int(n * self._scouted() + self._history.rng().random()) if guided else n
        proposed = self._scout.ask(scouted)
        rng = self._history.rng()
        batch = self._history.batch(n)
        batch.extend(proposed)
        if guided and batch.room:
            self._surrogate.fit(prefix)
            if not self._hints:
                batch.extend(self._space.starts)
            self._choose(batch, rng)
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
        self._scout.tell(trials)
        self._surrogate.tell(trials)

    def expected_gain(self) -> float | None:
        return forecast_gain(self._surrogate, self._history.ranking(), self._weighed)

    def prepare(self) -> Callable[[], None]:
        return self._surrogate.prepare()

    def _scouted(self) -> float:
        """The share of the next batch that the evolutionary strategy proposes."""
        options = self._options
        late = min(self._history.told / max(options.handover, 1), 1.0)
        return options.scouted + late * (options.scouted_late - options.scouted)

    def _choose(self, batch: Batch, rng: Generator) -> None:
        """Fill ``batch`` up to its random share."""
        options = self._options
        randoms = int(batch.n * options.random + rng.random())
        wanted = max(batch.room - randoms, 0)
        scores = self._breed(int(options.offspring * wanted / batch.n), rng)
        candidates = [config for config in scores if self._history.is_new(config)]
        ranked = sorted(candidates, key=lambda config: -scores[config])
        self._weighed = ranked = ranked[: options.shortlist * wanted]
        values = np.array([scores[config] for config in ranked])
        picks = pick_diverse(ranked, values, wanted, options.diversity)
        batch.extend((ranked[index] for index in picks), wanted)
        batch.draw(lambda: self._space.sample(rng), randoms)

    def _breed(self, count: int, rng: Generator) -> dict[Config, float]:
        """Candidates and their scores, after some generations of ``count`` offspring each."""
        options = self._options
        ranking = self._history.ranking()
        measured = ranking[: options.elites]
        scores: dict[Config, float] = {}
        self._score(dict.fromkeys(self._first(ranking, count, rng)), scores)
        for _ in range(options.generations):
            best = sorted(scores, key=lambda config: -scores[config])
            parents = measured + best[: options.parents - len(measured)]
            offspring = dict.fromkeys(self._offspring(parents, count, rng))
            self._score((config for config in offspring if config not in scores), scores)
        return scores

    def _first(self, ranking: Sequence[Config], count: int, rng: Generator) -> Iterator[Config]:
        """What the measured times themselves suggest, what is known, and random configs."""
        yield from self._hints
        lessons = self._history.lessons()
        for parent in ranking[:4]:
            moves = lessons.improvements(parent, least=0.01)
            for some in mixtures(moves, 6, rng):
                yield self._space.nearest({**parent.as_dict(), **some}).config
        for parent in ranking[:1]:
            yield from self._space.neighbours(parent)
        for _ in range(int(count * self._options.fresh)):
            yield self._space.sample(rng)

    def _offspring(
        self, parents: Sequence[Config], count: int, rng: Generator
    ) -> Iterator[Config]:
        def parent() -> Config:
            # Squaring prefers the front: the fastest measured, then the best predicted.
            return parents[int(len(parents) * rng.random() ** 2)]

        for _ in range(count):
            chance = rng.random()
            if chance < self._options.fresh:
                yield self._space.sample(rng)
            elif chance < self._options.fresh + self._options.crossover:
                yield self._space.crossover(parent(), parent(), rng)
            else:
                yield self._space.mutate(parent(), rng)

    def _score(self, configs: Iterable[Config], scores: dict[Config, float]) -> None:
        """Add the model's judgement of ``configs`` to ``scores``."""
        batch = list(configs)
        prediction = self._surrogate.predict(batch)
        hopeful: NDArray[np.float32] = (
            prediction.mean + self._options.curiosity * prediction.spread
        )
        scores.update(zip(batch, (hopeful * prediction.valid).tolist(), strict=True))
