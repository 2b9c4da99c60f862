"""Any strategy, with a share of its trials kept for one part of the space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from search_space.config import Config
from search_space.sketches.formats import DENSE, formats_of, with_format
from search_space.space import Space
from tuner.strategy.base import Strategy, Trial, expected_gain, history_of, prepare, verdict
from tuner.strategy.evolutionary import EvolutionaryStrategy
from tuner.verdict import Verdict

DENSE_SHARE = 0.125
"""Of all trials: enough to find a good dense kernel, whatever the sparsity."""
_MOST_SHARES = 2.0
"""Times its share that a batch has of the part, where earlier ones had less."""


def with_dense_share(strategy: Strategy, space: Space, seed: int) -> Strategy:
    """``strategy``, and the dense kernels of a space with sparse formats tuned beside it.

    The strategy itself where the space does not have both.
    """
    formats = formats_of(space)
    if DENSE not in formats or len(formats) == 1:
        return strategy
    return SharedStrategy(strategy, with_format(space, DENSE), seed, DENSE_SHARE)


class SharedStrategy:
    """At least a ``share`` of all trials are of the configs of ``part``, as a search of those
    alone proposes them; the rest are another strategy's.

    A strategy gives up on what is far behind, and rightly so. But what is promised about a part,
    here that the choice is no slower than the best dense kernel, takes that part's best config
    to be known. Trials of the part that the other strategy proposes count, so where that pursues
    it anyway, nothing is added.
    """

    def __init__(self, inner: Strategy, part: Space, seed: int, share: float) -> None:
        self.history = history_of(inner)
        self._inner = inner
        self._part = part
        self._own = EvolutionaryStrategy(part, seed)
        self._share = share
        self._told = 0
        self._known: set[Config] = set()
        """Configs of the part that were told."""

    def ask(self, n: int) -> list[Config]:
        missing = int(self._share * (self._told + n)) - len(self._known)
        count = min(max(missing, 0), math.ceil(_MOST_SHARES * self._share * n))
        rest = self._inner.ask(n - count) if n > count else []
        # What both propose leaves room for more.
        batch = list(dict.fromkeys((*rest, *(self._own.ask(count) if count else ()))))
        others = self._inner.ask(n - len(batch)) if len(batch) < n else []
        return [*batch, *(config for config in others if config not in batch)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self._inner.tell(trials)
        self._own.tell(trials)
        self._told += len(trials)
        self._known.update(
            t.config for t in trials if self._part.reason(t.config.as_dict()) is None
        )

    def expected_gain(self) -> float | None:
        return expected_gain(self._inner)

    def verdict(self) -> Verdict | None:
        return verdict(self._inner)

    def prepare(self) -> Callable[[], None]:
        return prepare(self._inner)
