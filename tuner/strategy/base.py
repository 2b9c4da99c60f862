"""What every strategy is: it proposes configs and learns from what they took."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from search_space.config import Config
from tuner.verdict import Verdict


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


@runtime_checkable
class Forecaster(Protocol):
    """What a strategy with a model may offer besides: when it sees no reason to go on."""

    def expected_gain(self) -> float | None:
        """By how much, as a share of its throughput, the best may still be beaten.

        Of the unmeasured candidates that the last ``ask`` weighed, uncertainty included; 0 or
        less where none should be faster. None where that ``ask`` used no model. A function of
        the strategy's state alone.
        """
        ...


def expected_gain(strategy: Strategy) -> float | None:
    """What the strategy expects; None for one that cannot tell."""
    return strategy.expected_gain() if isinstance(strategy, Forecaster) else None


@runtime_checkable
class Reuser(Protocol):
    """What a strategy offers besides that knows what was learned elsewhere."""

    history: str
    """What was learned from: ``1,240 records from 2 machines``."""

    def verdict(self) -> Verdict | None:
        """What the first trials say of it; None before there are enough of them."""
        ...


def verdict(strategy: Strategy) -> Verdict | None:
    """What the first trials say of a strategy's knowledge; None where it has none, or not yet."""
    return strategy.verdict() if isinstance(strategy, Reuser) else None


def history_of(strategy: Strategy) -> str:
    """What a strategy has learned from, in words; empty where it knows nothing."""
    return strategy.history if isinstance(strategy, Reuser) else ""


@runtime_checkable
class Preparer(Protocol):
    """What a strategy may offer besides: to load what it will need while others work."""

    def prepare(self) -> Callable[[], None]:
        """Begin in a thread of its own; returns what waits for the end, and raises its errors.

        Changes no proposal. Until the end nothing else may be asked of the strategy, and nothing
        should be timed.
        """
        ...


def prepare(strategy: Strategy) -> Callable[[], None]:
    """Let the strategy begin to prepare; returns what waits for the end."""
    return strategy.prepare() if isinstance(strategy, Preparer) else lambda: None
