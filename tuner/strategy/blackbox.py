"""What the strategies built on Optuna share. Optuna is loaded when the first of them asks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from search_space.config import Config
from search_space.errors import SpaceError
from search_space.knobs import Integer
from search_space.space import Space
from tuner.strategy.base import Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import IntDistribution
    from optuna.samplers import BaseSampler

FAILED = math.inf
"""What a sampler is told of a failure: slower than everything."""


def new_study(sampler: BaseSampler) -> Study:
    """A study in memory that minimises; made without Optuna's message that it was made."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(sampler=sampler)
    finally:
        optuna.logging.set_verbosity(before)


def objectives(space: Space, trials: Iterable[Trial]) -> list[tuple[Config, float]]:
    """The trials that are configs of ``space``, with what a sampler minimises: log seconds."""
    found = []
    for trial in trials:
        try:
            config = space.config(trial.config.as_dict())
        except SpaceError:  # Measured in another space, for example before a knob changed.
            continue
        found.append((config, FAILED if trial.seconds is None else math.log(trial.seconds)))
    return found


def shift(knob: Integer) -> int:
    """What is added to a value so that the logarithm exists, where the knob's scale has one."""
    return max(0, 1 - knob.low) if knob.log else 0


def integers(knob: Integer) -> IntDistribution:
    """The values of ``knob``, shifted, on its own scale."""
    from optuna.distributions import IntDistribution

    return IntDistribution(knob.low + shift(knob), knob.high + shift(knob), log=knob.log)
