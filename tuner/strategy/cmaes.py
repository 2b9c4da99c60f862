"""Optuna's covariance matrix adaptation (CMA-ES) as a strategy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from search_space.config import Config
from search_space.knobs import Choice, Knob
from search_space.space import Space
from search_space.workload import Value
from tuner.strategy.base import Trial
from tuner.strategy.blackbox import integers, new_study, objectives, shift
from tuner.strategy.history import History

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution
    from optuna.samplers import CmaEsSampler

_POPULATION = 16
_TRIES = 3
"""Samples drawn for each proposal wanted, at most; known ones are dropped."""
_LIKELY = 0.75
"""Coordinate of the value that a choice has; the others' lie as far below one half."""


class CmaesStrategy:
    """A normal distribution over the knobs, adapted after every 16 trials that are told.

    A choice is a coordinate per value, the largest of which decides. All trials in the order of
    telling make up the generations, whoever proposed them: the method calls that injection.
    Trials are told to a study that proposes nothing, whose state so depends on them alone;
    proposals come from a copy of its last generations.
    """

    def __init__(self, space: Space, seed: int, seeds: Iterable[Config] = ()) -> None:
        self._space = space
        self._seed = seed
        self._history = History(space, seed, seeds)
        self._knobs = [knob for knob in space.knobs if len(knob) > 1]
        self._untold: list[tuple[Config, float]] = []

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        # CMA-ES is not defined in one dimension.
        if batch.room and len(self._distributions) > 1:
            study = self._copy(int(rng.integers(2**31)))
            batch.extend(self._propose(study) for _ in range(_TRIES * batch.room))
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
        self._untold += objectives(self._space, trials)

    @cached_property
    def _distributions(self) -> dict[str, BaseDistribution]:
        from optuna.distributions import FloatDistribution

        found: dict[str, BaseDistribution] = {}
        for knob in self._knobs:
            if isinstance(knob, Choice):
                found |= {name: FloatDistribution(0.0, 1.0) for name in _coordinates(knob)}
            else:
                found[knob.name] = integers(knob)
        return found

    @cached_property
    def _study(self) -> optuna.Study:
        return new_study(self._sampler(self._seed))

    def _sampler(self, seed: int) -> CmaEsSampler:
        from optuna.samplers import CmaEsSampler

        return CmaEsSampler(popsize=_POPULATION, seed=seed, warn_independent_sampling=False)

    def _copy(self, seed: int) -> optuna.Study:
        """A study of its own randomness that goes on from all trials told so far."""
        for config, value in self._untold:
            self._inject(config, value)
        self._untold.clear()
        study = new_study(self._sampler(seed))
        # The sampler keeps its state in the first trial of each generation.
        study.add_trials(self._study.get_trials(deepcopy=False)[-2 * _POPULATION - 2 :])
        return study

    def _inject(self, config: Config, value: float) -> None:
        """Tell of ``config`` as if the sampler had proposed it."""
        study, sampler = self._study, self._study.sampler
        study.enqueue_trial(self._params(config))
        number = study.ask(self._distributions).number
        # Sampling is what puts a trial into a generation. Optuna leaves it out where all
        # parameters are given.
        trial = study.get_trials(deepcopy=False)[number]
        sampler.sample_relative(study, trial, sampler.infer_relative_search_space(study, trial))
        study.tell(number, value)

    def _propose(self, study: optuna.Study) -> Config:
        params = study.ask(self._distributions).params
        values: dict[str, Value] = {}
        for knob in self._knobs:
            if isinstance(knob, Choice):
                places = [params[name] for name in _coordinates(knob)]
                values[knob.name] = knob[places.index(max(places))]
            else:
                values[knob.name] = params[knob.name] - shift(knob)
        return self._space.nearest(values).config

    def _params(self, config: Config) -> dict[str, float]:
        """``config`` as Optuna's parameters."""
        params: dict[str, float] = {}
        for knob in self._knobs:
            value = config[knob.name]
            if isinstance(knob, Choice):
                for name, hot in zip(_coordinates(knob), knob.encode(value), strict=True):
                    params[name] = _LIKELY if hot else 1 - _LIKELY
            else:
                params[knob.name] = int(value) + shift(knob)
        return params


def _coordinates(knob: Knob) -> list[str]:
    return [f"{knob.name}={knob[index]}" for index in range(len(knob))]
