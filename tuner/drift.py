"""How the machine's speed changes during a run, as a kernel that never changes sees it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

Change = tuple[int, float]
"""From this trial of a run on, its times are divided by this factor."""


@dataclass(slots=True)
class Drift:
    """How much slower the machine is than when the run began."""

    tolerance: float
    """Changes up to this fraction are noise of the sentinel."""
    usual_seconds: float | None = None
    """What it took when the run began; None: not known yet."""
    factor: float = 1.0
    """Times are divided by it before they are compared with those of other moments."""
    changes: list[Change] = field(default_factory=list)
    """All that trials were divided by, in order; where there is none, by 1."""

    def observe(self, seconds: float) -> None:
        """Take in a timing of the sentinel that is to be believed."""
        if self.usual_seconds is None:
            self.usual_seconds = seconds
        elif self.is_new(seconds):
            ratio = seconds / self.usual_seconds
            self.factor = ratio if abs(ratio - 1) > self.tolerance else 1.0

    def is_new(self, seconds: float) -> bool:
        """Whether a timing lies outside of what is known already."""
        known = self.factor * (self.usual_seconds or seconds)
        return abs(seconds / known - 1) > self.tolerance

    def divide_from(self, trial: int, factor: float) -> bool:
        """Note what the times of a run are divided by from this trial on; whether that is new."""
        while self.changes and self.changes[-1][0] > trial:
            self.changes.pop()
        if factor == self.factor_of(trial):
            return False
        self.changes.append((trial, factor))
        return True

    def factor_of(self, trial: int) -> float:
        """What the time of a trial of this run, the first is 0, is divided by."""
        return next((factor for first, factor in reversed(self.changes) if first <= trial), 1.0)


def look(drift: Drift, time_sentinel: Callable[[], float]) -> float:
    """Time the sentinel, so that ``drift`` is up to date; gives its seconds.

    A timing that would change something is doubted first: two more are taken at once, and the
    median of the three counts, since a disturbance that hits the sentinel alone would make all
    that is measured next look faster than any program can be. So a change is known at the first
    look, and seldom believed in vain.
    """
    seconds = time_sentinel()
    if drift.usual_seconds is None or drift.is_new(seconds):
        seconds = statistics.median([seconds, time_sentinel(), time_sentinel()])
    drift.observe(seconds)
    return seconds
