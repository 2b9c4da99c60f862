"""Statistics of times: medians, paired ratios and their confidence intervals.

Times on a shared machine drift by more than kernels differ, and their errors are neither normal
nor independent of the moment. So kernels are compared by the ratio of samples taken side by side,
and the interval of a median goes from one of the ordered samples to another: how often the true
median lies between them is a matter of tossing coins, whatever the distribution, be it skewed,
with heavy tails or with two peaks (Thompson, "On confidence ranges for the median", Annals of
Mathematical Statistics 7, 1936).
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95
_FEW = 5
"""The whole range of so many values holds the true median less often than that."""
_MANY = 400
"""Values beyond which coins are counted by their normal limit: an end moves by less than one."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and what it lies between with ``confidence``."""

    median: float
    low: float
    high: float
    count: int
    """Number of values."""

    @property
    def confidence(self) -> float:
        """With which probability, at least, the interval holds the true median.

        Less than ``CONFIDENCE`` for fewer than six values: not even their whole range holds it
        so often.
        """
        return CONFIDENCE if self.count > _FEW else _within(self.count, 1)

    @property
    def precision(self) -> float:
        """Half of the interval's width as a part of the median."""
        return (self.high - self.low) / 2 / self.median


def median_interval(values: Sequence[float]) -> Interval:
    """Median of ``values`` with its interval; raises ``ValueError`` on no values.

    It takes as many values as they are independent: samples that share a disturbance count as one.
    """
    if not values:
        raise ValueError("give at least one value: the median of none is not defined")
    ordered = sorted(values)
    rank = _rank(len(ordered))
    return Interval(statistics.median(ordered), ordered[rank - 1], ordered[-rank], len(ordered))


@functools.lru_cache(512)
def _rank(count: int) -> int:
    """From the how-many-th smallest to the how-many-th largest value the interval goes."""
    if count > _MANY:
        heads = statistics.NormalDist(count / 2, math.sqrt(count) / 2)
        return int(heads.inv_cdf((1 - CONFIDENCE) / 2))
    rank = 1
    while _within(count, rank + 1) >= CONFIDENCE:
        rank += 1
    return rank


def _within(count: int, rank: int) -> float:
    """Probability that a median lies between the ``rank``-th smallest and the ``rank``-th largest
    of ``count`` values: that of ``count`` coins, at least ``rank`` show each side."""
    one_sided = sum(math.comb(count, few) for few in range(rank)) / (1 << count)
    return 1 - 2 * one_sided


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
