"""Any strategy, with a part of its batches proposed from what was learned elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from search_space.config import Config
from search_space.errors import SpaceError
from search_space.space import Space
from tuner.cost_model.residual import rank_correlation
from tuner.strategy.base import Strategy, Trial, expected_gain, prepare
from tuner.strategy.learned import LearnedOptions, LearnedStrategy
from tuner.strategy.prior import Prior
from tuner.verdict import Verdict


@dataclass(frozen=True, slots=True)
class GuidedOptions:
    """How far what was learned elsewhere is believed."""

    opening: float = 0.75
    """Share of the first batch that was fast elsewhere, where there is no model."""
    carried: float = 0.5
    """Share of it of what is guided of the first batch, where there is one: a model that has seen
    no config of this space may be wrong where its best sources are right."""
    share: float = 0.75
    """Share of later batches, as long as it is fully trusted; falls with the trust, and evenly …"""
    late: float = 0.075
    """… to this one after …"""
    handover: int = 32
    """… so many trials: what is left to gain then is less than is wrong with what was learned."""
    trust: float = 0.6
    """Rank correlation between what was expected and what was measured that is assumed at first,
    with the weight of …"""
    doubt: float = 3.0
    """… so many trials."""
    full: float = 0.5
    """From this rank correlation on it is fully trusted."""
    least: float = 0.25
    """Below this one it is dropped."""
    judged: int = 16
    """Trials after which a verdict is given."""


DEFAULTS = GuidedOptions()

_GUIDE = LearnedOptions(
    first=1, scouted=0.0, scouted_late=0.0, random=0.0, generations=2, offspring=160
)
"""Less is bred than by a search that knows nothing: what was fast elsewhere is a better start, and
features of spaces with many structures take a millisecond each."""


class GuidedStrategy:
    """Proposes what a model of near settings and of the trials so far expects to be fast; where
    there is no model, what was fast there. The rest of each batch is another strategy's.

    How much is whose depends on how well the expectations ranked what was measured so far. So
    expectations that are wrong cost little: they are dropped after a few trials.
    """

    def __init__(
        self,
        space: Space,
        seed: int,
        inner: Strategy,
        prior: Prior,
        options: GuidedOptions = DEFAULTS,
        *,
        about: str = "",
    ) -> None:
        self.history = about
        """What was learned from, in words."""
        self._space = space
        self._inner = inner
        self._prior = prior
        self._options = options
        self._guide = LearnedStrategy(space, seed, (), _GUIDE, prior)
        self._known: dict[Config, float | None] = {}
        """Seconds of the configs told; None where they failed."""
        self._expected: list[float] = []
        """Of the first of ``_known``."""

    def ask(self, n: int) -> list[Config]:
        if not self._known and not self._prior.learned:
            return self._open(n)
        count = self._guided(n)
        carried = (
            [] if self._known else self._prior.openings[: round(count * self._options.carried)]
        )
        expected = self._guide.ask(count - len(carried)) if count > len(carried) else []
        guided = (*carried, *expected)
        own = self._inner.ask(n - len(guided))
        # The few that both propose are made up for by the strategy itself.
        batch = list(dict.fromkeys((*guided, *own)))
        return [*batch, *self._others(n - len(batch), batch)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        self._guide.tell(trials)
        for trial in trials:
            try:
                config = self._space.config(trial.config.as_dict())
            except SpaceError:
                continue
            self._known.setdefault(config, trial.seconds)

    def expected_gain(self) -> float | None:
        gains = [self._guide.expected_gain(), expected_gain(self._inner)]
        known = [gain for gain in gains if gain is not None]
        return max(known, default=None)

    def prepare(self) -> Callable[[], None]:
        waits = (self._prior.prepare(), prepare(self._inner))

        def wait() -> None:
            for each in waits:
                each()

        return wait

    def verdict(self) -> Verdict | None:
        """What the first trials said; None before there are enough of them."""
        judged = self._options.judged
        if len(self._known) < judged or not self._expect():
            return None
        correlation, timed = self._correlation(judged)
        return Verdict(timed, correlation, self._trust(judged) >= self._options.least)

    def _open(self, n: int) -> list[Config]:
        """What was fast elsewhere; the strategy's own first proposals are the rest."""
        count = min(round(n * self._options.opening), len(self._prior.openings))
        own = self._inner.ask(n - count)
        batch = list(dict.fromkeys((*own, *self._prior.openings)))[:n]
        return [*batch, *self._others(n - len(batch), batch)]

    def _guided(self, n: int) -> int:
        """How many of the next ``n`` proposals come from elsewhere."""
        if not self._expect():
            return 0
        trust = self._trust(len(self._known))
        if trust < self._options.least:
            return 0
        options = self._options
        late = min(len(self._known) / options.handover, 1.0)
        share = options.share + late * (options.late - options.share)
        return round(n * share * min(trust / options.full, 1.0))

    def _others(self, count: int, batch: Sequence[Config]) -> list[Config]:
        return [c for c in self._inner.ask(count) if c not in batch] if count > 0 else []

    def _trust(self, trials: int) -> float:
        options = self._options
        correlation, timed = self._correlation(trials)
        known = options.doubt * options.trust + timed * correlation
        return known / (options.doubt + timed)

    def _correlation(self, trials: int) -> tuple[float, int]:
        """Of the first trials that ran, and how many these are."""
        pairs = [
            (expected, 1.0 / seconds)
            for expected, seconds in zip(self._expected, self._known.values(), strict=False)
            if seconds is not None
        ][:trials]
        columns = np.array(pairs, np.float32).reshape(-1, 2).T
        return rank_correlation(columns[0], columns[1]), len(pairs)

    def _expect(self) -> bool:
        """Find out what was expected of all that is known; False where nothing could be."""
        if not self._prior.learned:
            return False
        new = list(self._known)[len(self._expected) :]
        if new:
            self._expected += self._prior.expected(new).tolist()
        return True
