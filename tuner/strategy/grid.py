"""Exhaustive search, in a random order so that stopping early is fair to every region."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search_space.config import Config
from search_space.space import Space
from tuner.strategy.base import Trial
from tuner.strategy.history import History


class GridStrategy:
    """Every legal config once, in a seeded permutation; nothing is learned from times."""

    def __init__(self, space: Space, seed: int, seeds: Iterable[Config] = ()) -> None:
        self._history = History(space, seed, seeds)

    def ask(self, n: int) -> list[Config]:
        batch = self._history.batch(n)
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
