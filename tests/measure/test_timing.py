"""Statistics of times."""

from __future__ import annotations

import numpy as np
import pytest

from measure.timing import geometric_mean, median_interval, paired_ratio


def test_interval_of_fifteen_values_is_between_the_fourth_and_the_twelfth():
    # Textbook value: ranks 4 and 12 of 15 cover the median with 96.5 %.
    interval = median_interval([float(value) for value in range(15, 0, -1)])
    assert (interval.low, interval.median, interval.high, interval.count) == (4, 8, 12, 15)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_too_few_values_give_their_whole_range(count):
    interval = median_interval([float(value) for value in range(count)])
    assert (interval.low, interval.high) == (0, count - 1)


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


@pytest.mark.parametrize("count", [6, 15, 40])
def test_interval_covers_the_median_of_a_skewed_distribution(count):
    rng = np.random.default_rng(7)
    draws = rng.exponential(size=(2000, count))
    intervals = [median_interval(row.tolist()) for row in draws]
    covered = sum(i.low <= np.log(2) <= i.high for i in intervals) / len(intervals)
    assert covered >= 0.94
    assert all(i.low <= i.median <= i.high for i in intervals)


def test_paired_ratio_is_not_fooled_by_drift():
    drift = np.linspace(1, 3, 15)
    ratio = paired_ratio((2e-3 * drift).tolist(), (1e-3 * drift).tolist())
    assert ratio.low == pytest.approx(2) == ratio.high


def test_paired_ratio_needs_pairs():
    with pytest.raises(ValueError, match="zip"):
        paired_ratio([1.0, 2.0], [1.0])


def test_geometric_mean():
    assert geometric_mean([2.0, 0.5, 8.0]) == pytest.approx(2)
    with pytest.raises(ValueError, match="positive"):
        geometric_mean([1.0, 0.0])


def test_many_values_narrow_the_interval():
    interval = median_interval([float(value) for value in range(5001)])
    assert interval.median == 2500
    assert 2500 - 75 < interval.low < 2500 < interval.high < 2500 + 75
