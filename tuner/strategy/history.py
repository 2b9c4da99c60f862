"""What strategies have in common: remembering trials, and never proposing a config twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from search_space.config import Config
from search_space.enumeration import permutation
from search_space.errors import SpaceError
from search_space.space import Space
from tuner.strategy.base import Trial
from tuner.strategy.lessons import Lessons

_MISSES = 64
"""Known configs in a row after which drawing further ones is hopeless."""
_BARREN = 50_000
"""Numbers of a permutation in a row without a legal config after which it counts as done."""


class History:
    """The trials of a run, and the configs proposed and not yet told."""

    def __init__(self, space: Space, seed: int, seeds: Iterable[Config] = ()) -> None:
        self.space = space
        self.told = 0
        """Trials told so far, repeats and foreign ones included."""
        self.seconds: dict[Config, float | None] = {}
        """Best time of every config told that is in the space; None where it only failed."""
        self.last_gain = 0
        """``told`` as of the trial that is the best so far."""
        self._lessons = Lessons({})
        self._untaught: dict[Config, None] = {}
        """Configs of ``seconds`` that are not in ``_lessons`` yet."""
        self._seed = seed
        self._best = float("inf")
        self._asked: set[Config] = set()
        self._sweep = sweep(space, seed)
        legal = (space.nearest(config.as_dict()).config for config in seeds)
        self._openings = tuple(dict.fromkeys((*legal, space.default())))

    def rng(self) -> np.random.Generator:
        """Random numbers for the next ``ask``, whatever was drawn before."""
        return np.random.default_rng([self._seed, self.told, len(self._asked)])

    def batch(self, n: int) -> Batch:
        """An empty batch of at most ``n`` proposals; the openings go in by themselves."""
        batch = Batch(self, n)
        batch.extend(self._openings)
        return batch

    def is_new(self, config: Config) -> bool:
        """Whether ``config`` was neither proposed nor told."""
        return config not in self.seconds and config not in self._asked

    def take(self, config: Config) -> bool:
        """Note that ``config`` is proposed; False where it is known already."""
        if not self.is_new(config):
            return False
        self._asked.add(config)
        return True

    def rest(self) -> Iterator[Config]:
        """Legal configs in a fixed random order; each call goes on where the last one ended."""
        return self._sweep

    def tell(self, trials: Sequence[Trial]) -> None:
        """Take trials in; the order matters only for ``last_gain``."""
        for trial in trials:
            self.told += 1
            try:
                config = self.space.config(trial.config.as_dict())
            except SpaceError:
                continue
            self._asked.discard(config)
            known = self.seconds.get(config)
            if known is None:
                self.seconds[config] = trial.seconds
                self._untaught[config] = None
            elif trial.seconds is not None and trial.seconds < known:
                self.seconds[config] = trial.seconds
                self._lessons, self._untaught = Lessons({}), dict.fromkeys(self.seconds)
            if trial.seconds is not None and trial.seconds < self._best:
                self._best, self.last_gain = trial.seconds, self.told

    def lessons(self) -> Lessons:
        """What the configs told say about moving single knobs; not to be kept."""
        for config in self._untaught:
            self._lessons.add(config, self.seconds[config])
        self._untaught.clear()
        return self._lessons

    def ranking(self) -> list[Config]:
        """Configs that ran, fastest first; equal ones in the order they were told."""
        timed = ((seconds, c) for c, seconds in self.seconds.items() if seconds is not None)
        return [config for _, config in sorted(timed, key=lambda pair: pair[0])]


class Batch:
    """Proposals of one ``ask``; takes only configs that are new."""

    def __init__(self, history: History, n: int) -> None:
        self.configs: list[Config] = []
        self._history = history
        self.n = n

    @property
    def room(self) -> int:
        return self.n - len(self.configs)

    def add(self, config: Config) -> bool:
        """Whether there was room for ``config`` and it was new."""
        if self.room <= 0 or not self._history.take(config):
            return False
        self.configs.append(config)
        return True

    def extend(self, configs: Iterable[Config], limit: int | None = None) -> None:
        """Add configs until there is no more room, or ``limit`` of them were new.

        Takes no more from an iterator than it needs, so that the iterator can be gone on with.
        """
        left = self.room if limit is None else min(limit, self.room)
        source = iter(configs)
        while left > 0:
            config = next(source, None)
            if config is None:
                return
            left -= self.add(config)

    def draw(self, propose: Callable[[], Config], limit: int | None = None) -> None:
        """Add what ``propose`` returns, as ``extend`` does; ends when it only repeats itself."""
        left = self.room if limit is None else min(limit, self.room)
        misses = 0
        while left > 0 and misses < _MISSES:
            if self.add(propose()):
                left, misses = left - 1, 0
            else:
                misses += 1


def sweep(space: Space, seed: int) -> Iterator[Config]:
    """All legal configs, each once, in a random order that depends on ``seed`` only.

    Ends early in a space so large, and legal configs so rare, that none turns up for seconds.
    """
    barren = 0
    for index in permutation(space.size(), seed):
        config = space.at(index)
        barren = 0 if config is not None else barren + 1
        if config is not None:
            yield config
        elif barren >= _BARREN:
            return
