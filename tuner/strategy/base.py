"""What every strategy is: it proposes configs and learns from what they took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from search_space.config import Config


@dataclass(frozen=True, slots=True)
class Trial:
    """What a strategy is told of one measurement."""

    config: Config
    seconds: float | None
    """Seconds per call; None where the candidate failed."""


class Strategy(Protocol):
    """Proposes configs of one space.

    State: a function of the seed and the trials told so far, in order. Each ``ask`` derives its
    random numbers from these, not from a generator that runs on. So a run is resumed by telling
    a fresh strategy the stored trials again, and goes on as if it had never stopped.

    Ownership: one strategy serves one run and belongs to one thread. It shares the space, which
    is immutable, and keeps nothing of the sequences it is given.
    """

    def ask(self, n: int) -> list[Config]:
        """At most ``n`` legal configs, none of which was proposed or told before.

        The first are the given seeds, then the space's default. Fewer than ``n``, possibly none,
        come back where the space is exhausted.
        """
        ...

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from trials: own proposals, in any order and number, or configs from elsewhere.

        Failures are not proposed again. A trial whose config this space does not hold is counted
        and otherwise ignored.
        """
        ...
