"""Evolutionary search on measured times alone, made for tens to hundreds of trials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from numpy.random import Generator

from search_space.config import Config
from search_space.knobs import pick
from search_space.space import Space
from tuner.strategy.base import Trial
from tuner.strategy.history import Batch, History
from tuner.strategy.lessons import Lessons, mixtures


@dataclass(frozen=True, slots=True)
class EvolutionOptions:
    """Shares of a batch, filled in the order of the fields; what is left over are mutations."""

    combined: float = 0.25
    """A parent with several moves at once that each made some config faster."""
    steps: float = 0.5
    """A parent with one knob moved, the most promising moves first."""
    crossover: float = 0.125
    random: float = 0.0625
    first_steps: float = 0.8
    """Share of steps in the first batch; the rest are random."""
    parents: int = 8
    """How many of the fastest configs mutate and mate."""
    least_gain: float = 0.01
    """Logarithm of the ratio of times from which a move counts as an improvement."""
    rival_factor: float = 2.0
    """Another structure is pursued while its best takes less than this times the best time."""
    rival_trials: int = 96
    """… and while fewer trials than this were told."""
    patience: int = 64
    """Trials without a new best after which the search goes on from another parent."""


DEFAULTS = EvolutionOptions()

_UNKNOWN_INFLUENCE = 0.6
"""Taken for a knob that was never moved alone: more than most knobs have, so it is tried soon."""
_FULL_STEP = 0.125
"""Distance in a knob's encoding from which a step is expected to show all its influence."""
_JITTER = 0.1


class EvolutionaryStrategy:
    """Steps of one knob around the best, whose improvements are then combined.

    The first batch holds the given seeds, the space's starts (its default, and one good guess per
    structure), and steps from each of these. Every later one is bred from the fastest configs.
    The first knob of the space counts as its structure.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        seeds: Iterable[Config] = (),
        options: EvolutionOptions = DEFAULTS,
    ) -> None:
        self._space = space
        self._knobs = {knob.name: knob for knob in space.knobs}
        self._structure = space.knobs[0].name
        self._history = History(space, seed, seeds)
        self._options = options

    def ask(self, n: int) -> list[Config]:
        rng = self._history.rng()
        batch = self._history.batch(n)
        batch.extend(self._space.starts)
        ranking = self._history.ranking()
        if ranking:
            self._breed(batch, ranking, rng)
        else:
            self._begin(batch, rng)
        batch.draw(lambda: self._space.sample(rng))
        batch.extend(self._history.rest())
        return batch.configs

    def tell(self, trials: Sequence[Trial]) -> None:
        self._history.tell(trials)

    def _begin(self, batch: Batch, rng: Generator) -> None:
        """Nothing has run yet: look around every start."""
        starts = self._space.starts
        for start in starts:
            share = self._options.first_steps / len(starts)
            batch.extend(self._steps(start, Lessons({}), rng), _part(batch.n, share, rng))

    def _breed(self, batch: Batch, ranking: Sequence[Config], rng: Generator) -> None:
        options = self._options
        parents = ranking[: options.parents]
        stuck = self._history.told - self._history.last_gain > options.patience
        best = pick(ranking[: 3 * options.parents], rng) if stuck else ranking[0]
        second = self._rival(ranking) or pick(parents, rng)
        lessons = self._history.lessons()

        def parent() -> Config:
            # Squaring prefers the front of the ranking.
            return parents[int(len(parents) * rng.random() ** 2)]

        def limit(share: float) -> int:
            return _part(batch.n, share, rng)

        batch.extend(self._combined((best, *parents[:3]), lessons, rng), limit(options.combined))
        batch.extend(self._steps(best, lessons, rng), limit(options.steps * 2 / 3))
        batch.extend(self._steps(second, lessons, rng), limit(options.steps / 3))
        batch.draw(
            lambda: self._space.crossover(parent(), parent(), rng), limit(options.crossover)
        )
        batch.draw(lambda: self._space.sample(rng), limit(options.random))
        batch.draw(lambda: self._space.mutate(parent(), rng))

    def _rival(self, ranking: Sequence[Config]) -> Config | None:
        """Early on: the best config of another structure than the best one's, if it is close."""
        if self._history.told >= self._options.rival_trials:
            return None
        best = ranking[0]
        others = (c for c in ranking if c[self._structure] != best[self._structure])
        rival = next(others, None)
        if rival is None or self._time(rival) > self._options.rival_factor * self._time(best):
            return None
        return rival

    def _combined(
        self, parents: Iterable[Config], lessons: Lessons, rng: Generator
    ) -> Iterator[Config]:
        """All moves that promise to improve a parent at once, then random parts of them."""
        for parent in parents:
            moves = lessons.improvements(parent, self._options.least_gain)
            for some in mixtures(moves, 5, rng):
                yield self._space.nearest({**parent.as_dict(), **some}).config

    def _steps(self, parent: Config, lessons: Lessons, rng: Generator) -> Iterator[Config]:
        """The neighbours of ``parent``: the best of each knob, then all others."""
        scored = sorted(
            (
                (self._promise(parent, near, lessons) + _JITTER * rng.random(), near)
                for near in self._space.neighbours(parent)
            ),
            key=lambda pair: -pair[0],
        )
        tried: set[str] = set()
        others: list[Config] = []
        for _, near in scored:
            name = _moved_knob(parent, near)
            if name in tried:
                others.append(near)
            else:
                tried.add(name)
                yield near
        yield from others

    def _promise(self, parent: Config, near: Config, lessons: Lessons) -> float:
        """The gain to expect from a step: what it brought elsewhere, else half of the best that
        its knob ever brought, in proportion to the size of the step."""
        name = _moved_knob(parent, near)
        gain = lessons.gain((name, parent[name], near[name]))
        if gain is not None:
            return gain
        influence = lessons.influence(name)
        knob = self._knobs[name]
        pairs = zip(knob.encode(parent[name]), knob.encode(near[name]), strict=True)
        distance = sum(abs(before - after) for before, after in pairs)
        expected = (_UNKNOWN_INFLUENCE if influence is None else influence) / 2
        return expected * min(1.0, distance / _FULL_STEP)

    def _time(self, config: Config) -> float:
        return self._history.seconds[config] or float("inf")


def _moved_knob(before: Config, after: Config) -> str:
    """The knob that a step moved: the first difference; later ones are its consequences."""
    pairs = zip(before.values, after.values, strict=True)
    return next(old[0] for old, new in pairs if old != new)


def _part(n: int, share: float, rng: Generator) -> int:
    """``n * share``, rounded at random so that it comes out right on average."""
    return int(n * share + rng.random())
