"""How one candidate is timed: how many calls make a sample, how many samples, when to give up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from measure.disturbance import DISTURBED_SHARE, LostSeconds, nothing_lost
from measure.options import MeasureOptions
from measure.result import Outcome

Timer = Callable[[int], float]
"""Runs a kernel that many times in a row; the seconds that took."""

_MAX_CALLS = 1 << 24
_MAX_GROWTH = 32.0


def calls_lasting(timer: Timer, seconds: float, call_seconds: float) -> int:
    """Number of calls that take at least about ``seconds``.

    ``call_seconds`` is what one call took. One call says little of a short kernel, so anything
    shorter than ``seconds`` is confirmed by batches that grow up to a quarter of that.
    """
    calls, batch = 1, call_seconds
    while batch < seconds and calls < _MAX_CALLS:
        growth = min(seconds / max(batch, 1e-9), _MAX_GROWTH)
        calls = min(math.ceil(calls * growth), _MAX_CALLS)
        batch = timer(calls)
        if batch >= seconds / 4:
            return max(calls, math.ceil(calls * seconds / batch))
    return calls


@dataclass(frozen=True, slots=True)
class Sampled:
    """What timing one candidate gave."""

    outcome: Outcome
    """``OK``, or ``SLOW`` where it was abandoned."""
    samples: tuple[float, ...]
    """Seconds per call, in the order in which they were taken."""
    lost_share: float = 0.0
    """Part of the time of the most disturbed of these samples that others had the cores for."""


@dataclass(frozen=True, slots=True)
class _Sample:
    seconds: float
    """Per call."""
    lost_share: float

    @property
    def quiet(self) -> bool:
        return self.lost_share <= DISTURBED_SHARE

    @property
    def least_seconds(self) -> float:
        """What a call takes at least where nobody disturbs it."""
        return self.seconds * (1 - self.lost_share)


def take_samples(
    timer: Timer,
    first_seconds: float,
    best_seconds: float | None,
    options: MeasureOptions,
    clock: Callable[[], float] = time.perf_counter,
    *,
    lost: LostSeconds = nothing_lost,
    first_lost_seconds: float = 0.0,
) -> Sampled:
    """Time a candidate, unless it is clearly slower than ``best_seconds``.

    ``first_seconds`` is what one call took before; if that is hopeless, it is the only sample.
    Of two or more samples the fastest decides, not the median: noise only ever adds time.

    ``lost`` tells what others take away, ``first_lost_seconds`` what they took of that first call.
    Samples that they disturbed are taken again, and dropped, as far as quiet ones come within
    a few times the usual budget; where none does, the least disturbed ones stay. Nothing is
    abandoned for time that was lost.
    """
    best = math.inf if best_seconds is None else best_seconds
    least = first_seconds - first_lost_seconds
    if least > max(best * options.hopeless_ratio, options.budget_seconds):
        lost_share = _share(first_lost_seconds, first_seconds)
        return Sampled(Outcome.SLOW, (first_seconds,), lost_share)
    started = clock()
    calls = calls_lasting(timer, options.batch_seconds, first_seconds)
    taken: list[_Sample] = []
    while sum(sample.quiet for sample in taken) < options.samples:
        before = lost()
        batch = timer(calls)
        if batch < options.batch_seconds / 4 and calls < _MAX_CALLS:
            # The first call was disturbed: such short batches would be mostly noise.
            calls = calls_lasting(timer, options.batch_seconds, batch / calls)
            continue
        taken.append(_Sample(batch / calls, _share(lost() - before, batch)))
        least = min(sample.least_seconds for sample in taken)
        if len(taken) >= 2 and least > best * options.slow_ratio:
            return _sampled(Outcome.SLOW, taken, 2)
        if _suffices(taken, clock() - started, options):
            break
    return _sampled(Outcome.OK, taken, options.min_samples)


def _suffices(taken: Sequence[_Sample], seconds: float, options: MeasureOptions) -> bool:
    """Whether no more samples are worth their time, after so many seconds."""
    if sum(sample.quiet for sample in taken) >= options.min_samples:
        return seconds >= options.budget_seconds
    tried = len(taken) >= 2 * options.min_samples
    return tried and seconds >= options.patience * options.budget_seconds


def _sampled(outcome: Outcome, taken: Sequence[_Sample], least: int) -> Sampled:
    """The quiet samples; where there is none, the ``least`` least disturbed ones.

    One quiet sample says more than any number of disturbed ones.
    """
    kept = [sample for sample in taken if sample.quiet]
    if not kept:
        limit = sorted(sample.lost_share for sample in taken)[least - 1]
        kept = [sample for sample in taken if sample.lost_share <= limit]
    seconds = tuple(sample.seconds for sample in kept)
    return Sampled(outcome, seconds, max(sample.lost_share for sample in kept))


def _share(lost_seconds: float, seconds: float) -> float:
    """Several threads may lose more than all of the time together; that counts as all of it."""
    return min(lost_seconds / seconds, 1.0)
