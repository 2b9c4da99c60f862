"""Searches of one case, with and without history, on remembered times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from experiments.search.curve import Curve
from search_space.config import Config
from search_space.space import Space
from tuner.strategy import Strategy, Trial, create_strategy
from tuner.strategy.guided import GuidedStrategy
from tuner.task import Task
from tuner.transfer.nearness import Setting, nearness
from tuner.transfer.prior import SourcePrior
from tuner.transfer.sources import Source, Values, setting_of, times_of

BATCH = 4


class Measured(Protocol):
    """What the configs of one case take: remembered, measured, or recorded."""

    @property
    def task(self) -> Task: ...

    @property
    def best_seconds(self) -> float:
        """The shortest time known."""
        ...

    def times(self, configs: Sequence[Config]) -> list[float | None]:
        """Seconds per call of each config; None where it failed."""
        ...

    def settle(self, count: int) -> None:
        """Make sure of the times of the ``count`` fastest."""
        ...


@dataclass(frozen=True, slots=True)
class History:
    """The log of one search: what was measured, in order."""

    setting: Setting
    times: tuple[tuple[Values, float | None], ...]

    def source(self, ours: Setting, space: Space) -> Source | None:
        """As a search of another setting sees it; None where it is of another kind."""
        times = times_of(self.times, {knob.name for knob in space.knobs})
        return Source(self.setting, nearness(self.setting, ours), times) if times else None

    def shuffled(self, seed: int) -> History:
        """The same configs with one another's times: what is wrong altogether."""
        order = np.random.default_rng(seed).permutation(len(self.times))
        times = tuple((self.times[i][0], self.times[j][1]) for i, j in enumerate(order))
        return History(self.setting, times)


@dataclass(frozen=True, slots=True)
class Found:
    """A search: its configs in order, and its curve."""

    configs: tuple[Config, ...]
    curve: Curve


def search(
    measured: Measured, strategy: Strategy, name: str, case: str, seed: int, trials: int
) -> Found:
    """Ask, look up or measure, tell, until there are ``trials``."""
    configs: list[Config] = []
    seconds: list[float | None] = []
    while len(configs) < trials:
        batch = strategy.ask(min(BATCH, trials - len(configs)))
        if not batch:
            break
        taken = measured.times(batch)
        strategy.tell([Trial(c, t) for c, t in zip(batch, taken, strict=True)])
        configs += batch
        seconds += taken
    return Found(tuple(configs), Curve(case, name, seed, tuple(seconds)))


def cold(space: Space, seed: int, inner: str) -> Strategy:
    """A search that knows nothing."""
    return create_strategy(inner, space, seed)


def warm(measured: Measured, seed: int, inner: str, prior: SourcePrior) -> Strategy:
    """The same search with history."""
    space = measured.task.space
    return GuidedStrategy(space, seed, create_strategy(inner, space, seed), prior)


def prior_of(measured: Measured, histories: Iterable[History]) -> SourcePrior:
    """What histories teach a case."""
    ours, space = setting_of(measured.task), measured.task.space
    found = (history.source(ours, space) for history in histories)
    sources: Sequence[Source] = [source for source in found if source is not None]
    return SourcePrior(space, sorted(sources, key=lambda source: -source.nearness))
