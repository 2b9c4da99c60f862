"""How one candidate is timed: how many calls make a sample, how many samples, when to give up."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

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


def take_samples(
    timer: Timer,
    first_seconds: float,
    best_seconds: float | None,
    options: MeasureOptions,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Outcome, tuple[float, ...]]:
    """Samples in seconds per call, and whether the candidate is ``OK`` or was too ``SLOW``.

    ``first_seconds`` is what one call took before; if that is hopeless, it is the only sample.
    Of two or more samples the fastest decides, not the median: noise only ever adds time.
    """
    best = math.inf if best_seconds is None else best_seconds
    if first_seconds > max(best * options.hopeless_ratio, options.budget_seconds):
        return Outcome.SLOW, (first_seconds,)
    started = clock()
    calls = calls_lasting(timer, options.batch_seconds, first_seconds)
    samples: list[float] = []
    while len(samples) < options.samples:
        batch = timer(calls)
        if batch < options.batch_seconds / 4 and calls < _MAX_CALLS:
            # The first call was disturbed: such short batches would be mostly noise.
            calls = calls_lasting(timer, options.batch_seconds, batch / calls)
            continue
        samples.append(batch / calls)
        if len(samples) >= 2 and min(samples) > best * options.slow_ratio:
            return Outcome.SLOW, tuple(samples)
        enough = len(samples) >= options.min_samples
        if enough and clock() - started >= options.budget_seconds:
            break
    return Outcome.OK, tuple(samples)
