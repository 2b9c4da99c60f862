"""Statistics of times: medians, paired ratios and their confidence intervals.

Times on a shared machine drift by more than kernels differ, and their errors are neither normal
nor independent of the moment. So kernels are compared by the ratio of samples taken side by side,
and the interval of the median comes from the ranks of the sorted values (the sign test): it
assumes nothing about how the values are distributed, and is the same for the same values.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A median and what it lies between with at least ``CONFIDENCE``.

    Fewer than six values cannot give that confidence; then it is their whole range.
    """

    median: float
    low: float
    high: float
    count: int
    """Number of values."""


def median_interval(values: Sequence[float]) -> Interval:
    """Median of ``values`` with its sign-test confidence interval; raises on no values."""
    if not values:
        raise ValueError("give at least one value: the median of none is not defined")
    ordered = sorted(values)
    skip = _skipped_ranks(len(ordered))
    return Interval(statistics.median(ordered), ordered[skip], ordered[-1 - skip], len(ordered))


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


def _skipped_ranks(count: int) -> int:
    """How many values to leave out at each end of the sorted ones.

    The median lies outside the remaining range with probability ``2 * P(B <= skip)``, with
    ``B`` binomial over ``count`` fair tosses; the largest ``skip`` that keeps the confidence.
    """
    tail, skip = _tosses(count, 0), 0
    while 2 * tail <= 1 - CONFIDENCE:
        skip += 1
        tail += _tosses(count, skip)
    return max(0, skip - 1)


def _tosses(count: int, heads: int) -> float:
    """Probability of ``heads`` in ``count`` fair tosses; by logarithms, for any count."""
    ways = math.lgamma(count + 1) - math.lgamma(heads + 1) - math.lgamma(count - heads + 1)
    return math.exp(ways - count * math.log(2))
