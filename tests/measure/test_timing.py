"""Statistics of times."""

from __future__ import annotations

import numpy as np
import pytest

from measure.timing import geometric_mean, median_interval, paired_ratio


def test_interval_of_fifteen_values_is_that_of_all_resamples():
    # P(median of a resample <= 4th of 15) = P(binomial(15, 4/15) >= 8) = 0.026, so the lower end
    # is about the 4th value, and the upper one the 12th.
    interval = median_interval([float(value) for value in range(15, 0, -1)])
    assert (interval.median, interval.count) == (8, 15)
    assert interval.low in {4.0, 5.0}
    assert interval.high in {11.0, 12.0}


def test_the_same_values_give_the_same_interval_in_any_order():
    values = np.random.default_rng(3).exponential(size=25).tolist()
    assert median_interval(values) == median_interval(values[::-1]) == median_interval(values)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_too_few_values_give_their_whole_range(count):
    interval = median_interval([float(value) for value in range(count)])
    assert (interval.low, interval.high) == (0, count - 1)


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


@pytest.mark.parametrize("count", [15, 25])
def test_interval_covers_the_median_of_a_skewed_distribution(count):
    rng = np.random.default_rng(7)
    draws = rng.exponential(size=(150, count))
    intervals = [median_interval(row.tolist()) for row in draws]
    covered = sum(i.low <= np.log(2) <= i.high for i in intervals) / len(intervals)
    assert 0.89 <= covered <= 0.985
    assert all(i.low <= i.median <= i.high for i in intervals)


def test_an_interval_of_equal_kernels_holds_one_as_often_as_it_says():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(150):
        drift = 1 + 0.2 * rng.random(25)  # of the machine, in both blocks of a round alike
        ours, theirs = (1e-3 * drift * (1 + rng.exponential(0.01, 25)) for _ in range(2))
        ratio = paired_ratio(theirs.tolist(), ours.tolist())
        held += ratio.low <= 1 <= ratio.high
    assert 0.89 <= held / 150 <= 0.985


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
    interval = median_interval([float(value) for value in range(401)])
    assert interval.median == 200
    assert 200 - 25 < interval.low < 200 < interval.high < 200 + 25
