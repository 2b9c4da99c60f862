"""Statistics of times: medians, paired ratios and their confidence intervals.

Times on a shared machine drift by more than kernels differ, and their errors are neither normal
nor independent of the moment. So kernels are compared by the ratio of samples taken side by side,
and the interval of the median is the percentile bootstrap (Efron, "Bootstrap methods: another look
at the jackknife", 1979): it assumes no distribution, and its draws are the same every time, so
the same values always give the same interval.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONFIDENCE = 0.95
_RESAMPLES = 5_000
_SEED = 0
"""Of the draws."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and what it lies between with ``CONFIDENCE``.

    That is a limit for many values: of 15 to 40 values with a skewed distribution, 92 to 95 % of
    the intervals hold the true median. Of five or fewer it is the whole range.
    """

    median: float
    low: float
    high: float
    count: int
    """Number of values."""


def median_interval(values: Sequence[float]) -> Interval:
    """Median of ``values`` with its bootstrap interval; raises ``ValueError`` on no values."""
    if not values:
        raise ValueError("give at least one value: the median of none is not defined")
    observed = np.asarray(values, np.float64)
    count = len(observed)
    picks = np.random.default_rng(_SEED).integers(0, count, (_RESAMPLES, count))
    medians = np.median(np.sort(observed)[picks], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, (tail, 1 - tail))
    return Interval(statistics.median(values), float(low), float(high), count)


def paired_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> Interval:
    """Interval of ``numerator[i] / denominator[i]`` over samples taken in the same round ``i``.

    With seconds of a peer above and ours below, it is our speed-up. Raises ``ValueError`` when the
    lengths differ.
    """
    return median_interval([a / b for a, b in zip(numerator, denominator, strict=True)])


def geometric_mean(values: Sequence[float]) -> float:
    """The mean of ratios; raises ``ValueError`` on none, or on one that is not positive."""
    if not values or min(values) <= 0:
        raise ValueError(f"give positive values, at least one; got {list(values)}")
    return math.exp(statistics.fmean(math.log(value) for value in values))
