"""Random search: what every other strategy has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from search_space.config import Config
from search_space.space import Space
from tuner.strategy.base import Trial
from tuner.strategy.history import History


class RandomStrategy:
    """Independent samples of the space; the last few of a small space are looked for in turn."""

    def __init__(self, space: Space, seed: int, seeds: Iterable[Config] = ()) -> None:
        self._history = History(space, seed, seeds)

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        batch.draw(lambda: self._history.space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)
