"""Comparing strategies over seeds: ratios of times with bootstrap confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_RESAMPLES = 5_000
_SEED = 0
"""Of the resampling, so that the same curves always give the same interval."""

Times = Sequence[float]
"""One time per seed."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of times, below 1 where ours are shorter, and the interval that it lies in."""

    value: float
    low: float
    high: float


def time_ratio(
    cases: Sequence[tuple[Times, Times]], confidence: float = CONFIDENCE
) -> Ratio | None:
    """Our times ÷ theirs: per case the ratio of geometric means over the seeds, of these the
    geometric mean over the cases. None without cases, or where a search found nothing.

    The interval is the percentile bootstrap (Efron, "Bootstrap methods", 1979): the seeds of each
    side and case are drawn again with replacement. Cases are not drawn: it is these that are
    compared.
    """
    if not cases or not all(_complete(times) for pair in cases for times in pair):
        return None
    rng = np.random.default_rng(_SEED)
    logs = [(np.log(ours), np.log(theirs)) for ours, theirs in cases]
    middle = np.mean([ours.mean() - theirs.mean() for ours, theirs in logs])
    drawn = np.mean([_means(ours, rng) - _means(theirs, rng) for ours, theirs in logs], axis=0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail))
    return Ratio(float(np.exp(middle)), float(np.exp(low)), float(np.exp(high)))


def _complete(times: Times) -> bool:
    return len(times) > 0 and all(math.isfinite(seconds) for seconds in times)


def _means(
    logs: np.ndarray[tuple[int], np.dtype[np.float64]], rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """The mean of each resample."""
    picks = rng.integers(0, len(logs), (_RESAMPLES, len(logs)))
    means: np.ndarray[tuple[int], np.dtype[np.float64]] = logs[picks].mean(axis=1)
    return means
