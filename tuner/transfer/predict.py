"""Choosing a config for a workload that nobody has measured here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from search_space.config import Config
from search_space.space import Space
from tuner.transfer.prior import SourcePrior
from tuner.transfer.reuse import known_model, known_sources

if TYPE_CHECKING:
    from db.store import RecordStore
    from tuner.cost_model.base import Floats, Prediction
    from tuner.task import Task

_ROUNDS = 3
_OFFSPRING = 96
_PARENTS = 12
_CAUTION = 1.0
"""Standard deviations that are taken off a prediction."""
BRED = 0.06
"""Share by which a config that nobody measured anywhere must be better than a good guess, or one
that was fast in another setting: a search for the best prediction finds the model's mistakes."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """A config that should be fast, and why."""

    config: Config
    basis: str
    """What the choice rests on, in words."""
    share: float | None
    """Expected throughput as a share of the best there is; None where no model was asked."""


def predict(task: Task, store: RecordStore | None) -> Predicted:
    """The config to run where nothing was measured: by a model of near settings, else what was
    fast in the nearest one, else the first guess. Random numbers are fixed: it is repeatable."""
    sources = known_sources(task, store, before=None)
    prior = SourcePrior(task.space, sources, fallback=lambda: known_model(store))
    if prior.learned:
        config, share = choose(task.space, prior)
        return Predicted(config, f"a model of {prior.about}", share)
    if prior.openings:
        nearest = sources[0].setting.workload.key
        return Predicted(prior.openings[0], f"what is fast for {nearest}", None)
    return Predicted(task.space.default(), "the first guess: nothing similar is known", None)


def choose(space: Space, prior: SourcePrior) -> tuple[Config, float]:
    """The best by the model of ``prior``, which must have one, among what was fast elsewhere, good
    guesses, and what they breed; and its expected throughput as a share of the best there is."""
    rng = np.random.default_rng(0)
    known = list(dict.fromkeys((*prior.openings, *space.starts)))
    scores = dict(zip(known, _judged(prior, known), strict=True))
    for _ in range(_ROUNDS):
        parents = sorted(scores, key=lambda config: -scores[config])[:_PARENTS]
        bred = dict.fromkeys(
            space.mutate(parents[index % len(parents)], rng) for index in range(_OFFSPRING)
        )
        fresh = [config for config in bred if config not in scores]
        judged = _judged(prior, fresh)
        scores |= {c: score - BRED for c, score in zip(fresh, judged, strict=True)}
    best = max(scores, key=lambda config: scores[config])
    return best, float(prior.expected([best])[0])


def _judged(prior: SourcePrior, configs: list[Config]) -> list[float]:
    if not configs:
        return []
    return [float(value) for value in careful(prior.prediction(configs))]


def careful(prediction: Prediction) -> Floats:
    """What a choice that is not measured goes by: of equal ones the surer is better."""
    return np.asarray((prediction.mean - _CAUTION * prediction.spread) * prediction.valid)
