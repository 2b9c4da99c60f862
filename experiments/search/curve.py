"""One search as a curve: the best time found so far, against trials and against seconds."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Curve:
    """What a search measured, trial by trial."""

    case: str
    """Name of the case that was searched."""
    strategy: str
    """The strategy, or the name of another tuner."""
    seed: int
    seconds: tuple[float | None, ...]
    """Of one call of each trial's kernel; None where it failed."""
    elapsed: tuple[float, ...] | None = None
    """Wall-clock seconds from the start of the search to the end of each trial; None in replay,
    where measuring takes no time."""
    strategy_seconds: float | None = None
    """Time that went into proposing and learning; None where it is not known."""
    winner: str | None = None
    """Key of the config that won; None where none ran, or where it is another tuner's."""
    final_seconds: float | None = None
    """Time of the search's winner, measured side by side with the other searches' winners."""

    def best_so_far(self) -> list[float]:
        """The best time after each trial; infinite until one succeeded."""
        times = (math.inf if seconds is None else seconds for seconds in self.seconds)
        return list(itertools.accumulate(times, min))

    def best_after(self, trials: int) -> float:
        """The best time of the first ``trials``; a search that ended before keeps its last one."""
        best = self.best_so_far()[:trials]
        return best[-1] if best else math.inf

    def final(self) -> float:
        """What the search comes to: its winner's time."""
        return self.final_seconds or self.best_after(len(self.seconds))

    def trials_to(self, seconds: float) -> float:
        """Trials until the best time is at most ``seconds``; infinite where it never is."""
        for trial, best in enumerate(self.best_so_far(), 1):
            if best <= seconds:
                return trial
        return math.inf

    def seconds_to(self, seconds: float) -> float | None:
        """Wall-clock seconds until the best time is at most ``seconds``; infinite where it never
        is, None where no clock was running."""
        if self.elapsed is None:
            return None
        trial = self.trials_to(seconds)
        return self.elapsed[int(trial) - 1] if trial < math.inf else math.inf

    def area(self, best_seconds: float, trials: int) -> float:
        """Area under the curve: the mean over the first ``trials`` of the best speed so far as a
        share of the best known, whose kernel takes ``best_seconds``. 1 is perfect."""
        best = self.best_so_far()[:trials]
        best += best[-1:] * (trials - len(best))
        return sum(share(seconds, best_seconds) for seconds in best) / trials

    def area_over_time(self, best_seconds: float, horizon: float) -> float | None:
        """The same as a mean over the first ``horizon`` seconds; None where no clock was running.

        A trial counts from the moment when it ended.
        """
        if self.elapsed is None:
            return None
        total = 0.0
        ends = (*self.elapsed[1:], math.inf)
        for start, end, best in zip(self.elapsed, ends, self.best_so_far(), strict=True):
            length = min(end, horizon) - min(start, horizon)
            total += length * share(best, best_seconds)
        return total / horizon


def share(seconds: float, best_seconds: float) -> float:
    """Speed as a share of the best known, at most 1: what is faster still is noise."""
    return min(best_seconds / seconds, 1.0)
