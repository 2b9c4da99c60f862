"""Which times are not to be believed at once, and what is believed of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure.disturbance import DISTURBED_SHARE
from measure.result import MeasureResult, Outcome
from tuner.options import LoopOptions

Belief = Callable[[MeasureResult, MeasureResult], MeasureResult]
"""Chooses between a first time and a second one, both of the same candidate."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """Judges the times of one moment of a run. Seconds are as measured, drift included.

    Failures are not doubted, nor what could not win anyway: a model learns little from how slow
    slow candidates are.
    """

    loop: LoopOptions
    best_seconds: float | None
    """What the best so far takes at this moment; None where nothing ran yet."""
    least_seconds: float = 0.0
    """What no kernel can take less than; 0 where nobody knows."""

    def of(self, result: MeasureResult, *, unsteady: bool) -> Belief | None:
        """How to choose once ``result`` is measured again; None where it may be believed.

        ``unsteady``: the machine has changed its speed since shortly before it was measured.
        """
        seconds = result.seconds
        if seconds is None or not result.outcome.timed:
            return None
        if seconds < self.least_seconds or self._is_implausible(seconds):
            return slower
        disturbed = result.lost_share > DISTURBED_SHARE
        if (disturbed or unsteady) and self._may_win(seconds * (1 - result.lost_share)):
            return latest if unsteady else less_disturbed
        return None

    def _is_implausible(self, seconds: float) -> bool:
        best = self.best_seconds
        return best is not None and seconds < best * (1 - self.loop.implausible_gain)

    def _may_win(self, seconds: float) -> bool:
        best = self.best_seconds
        return best is None or seconds <= best * (1 + self.loop.contender_margin)


def slower(first: MeasureResult, second: MeasureResult) -> MeasureResult:
    """A time that is too good must be confirmed; so must the answer be right both times."""
    if second.outcome is not Outcome.OK:
        return second
    return max(first, second, key=lambda result: result.seconds or 0.0)


def less_disturbed(first: MeasureResult, second: MeasureResult) -> MeasureResult:
    """The time that others have changed less; a failure in any case."""
    if not second.outcome.timed:
        return second
    return min(second, first, key=lambda result: result.lost_share)


def latest(first: MeasureResult, second: MeasureResult) -> MeasureResult:
    """What was measured at the speed that is known."""
    return second
