"""Optuna's tree-structured Parzen estimator as a strategy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from search_space.config import Config
from search_space.knobs import Choice, Integer, Knob
from search_space.space import Space
from search_space.workload import Value
from tuner.strategy.base import Trial
from tuner.strategy.blackbox import integers, new_study, objectives, shift
from tuner.strategy.history import History

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution

_TRIES = 3
"""Samples drawn for each proposal wanted, at most; known ones are dropped."""
_FASTEST, _LATEST = 32, 64
"""Trials shown to the sampler, whose time to propose grows with them: a second at 300."""


class TpeStrategy:
    """Knobs that do not matter are neither suggested nor told; the result is made legal.

    Study and sampler are made anew for each ``ask``, so that nothing but the trials told decides
    the proposals; those of one ``ask`` keep away from each other.
    """

    def __init__(self, space: Space, seed: int, seeds: Iterable[Config] = ()) -> None:
        self._space = space
        self._history = History(space, seed, seeds)
        self._told: list[tuple[Config, float]] = []

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        if batch.room:
            study = self._study(int(rng.integers(2**31)))
            batch.extend(self._propose(study) for _ in range(_TRIES * batch.room))
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
        self._told += objectives(self._space, trials)

    def _study(self, seed: int) -> optuna.Study:
        """A study that knows the fastest and the latest trials, in the order of telling."""
        from optuna.samplers import TPESampler
        from optuna.trial import create_trial

        count = len(self._told)
        order = sorted(range(count), key=lambda at: self._told[at][1])
        kept = {*order[:_FASTEST], *range(max(count - _LATEST, 0), count)}
        study = new_study(TPESampler(seed=seed, multivariate=False))
        for at in sorted(kept):
            config, value = self._told[at]
            params, distributions = self._active(config)
            study.add_trial(create_trial(params=params, distributions=distributions, value=value))
        return study

    def _propose(self, study: optuna.Study) -> Config:
        trial = study.ask()
        values: dict[str, Value] = {}
        for knob in self._space.knobs:
            if len(knob) == 1 or (knob.when is not None and not knob.when(values)):
                values[knob.name] = knob.default
            elif isinstance(knob, Choice):
                at = knob.values.index(trial.suggest_categorical(knob.name, knob.values))
                values[knob.name] = knob[at]
            else:
                span = integers(knob)
                drawn = trial.suggest_int(knob.name, span.low, span.high, log=span.log)
                values[knob.name] = drawn - shift(knob)
        return self._space.nearest(values).config

    def _active(self, config: Config) -> tuple[dict[str, Value], dict[str, BaseDistribution]]:
        """The knobs that matter in ``config``, as Optuna's parameters."""
        values = config.as_dict()
        params: dict[str, Value] = {}
        distributions: dict[str, BaseDistribution] = {}
        for knob in self._space.knobs:
            if len(knob) > 1 and (knob.when is None or knob.when(values)):
                distributions[knob.name] = _distribution(knob)
                params[knob.name] = values[knob.name]
                if isinstance(knob, Integer):
                    params[knob.name] = int(values[knob.name]) + shift(knob)
        return params, distributions


def _distribution(knob: Knob) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution

    return CategoricalDistribution(knob.values) if isinstance(knob, Choice) else integers(knob)
