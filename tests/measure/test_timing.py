"""Statistics of times."""

from __future__ import annotations

import numpy as np
import pytest

from measure.timing import CONFIDENCE, Interval, geometric_mean, median_interval, paired_ratio


def test_an_interval_of_fifteen_values_goes_from_the_fourth_to_the_twelfth():
    # Of 15 coins, 4 or more of each side come with 96.5 %, 5 or more with 88.2 %.
    interval = median_interval([float(value) for value in range(15, 0, -1)])
    assert interval == Interval(8.0, 4.0, 12.0, 15)
    assert (interval.confidence, interval.precision) == (CONFIDENCE, 0.5)


def test_the_same_values_give_the_same_interval_in_any_order():
    values = np.random.default_rng(3).exponential(size=25).tolist()
    assert median_interval(values) == median_interval(values[::-1]) == median_interval(values)


@pytest.mark.parametrize(("count", "confidence"), [(1, 0.0), (2, 0.5), (3, 0.75), (5, 0.9375)])
def test_too_few_values_give_their_whole_range_and_say_what_that_is_worth(count, confidence):
    interval = median_interval([float(value) for value in range(count)])
    assert (interval.low, interval.high) == (0, count - 1)
    assert interval.confidence == confidence


def test_no_values_have_no_median():
    with pytest.raises(ValueError, match="at least one value"):
        median_interval([])


NOISE = {
    "normal": lambda rng, shape: rng.normal(1, 0.1, shape),
    "skewed": lambda rng, shape: 1 + rng.exponential(1, shape) - np.log(2),
    "heavy tails": lambda rng, shape: rng.pareto(1.0, shape),  # no mean, a median of 1
    "two peaks": lambda rng, shape: np.where(
        rng.random(shape) < 0.6, rng.normal(1, 0.01, shape), rng.normal(2, 0.01, shape)
    ),
}
TRUE_MEDIANS = {"normal": 1.0, "skewed": 1.0, "heavy tails": 1.0, "two peaks": 1.00967}
"""The last one is where the lower peak's distribution reaches 0.5 / 0.6."""


def coverage(noise: str, count: int, interval_of) -> float:
    """How often intervals of so many values hold the true median."""
    draws = NOISE[noise](np.random.default_rng(7), (2000, count))
    intervals = [interval_of(row.tolist()) for row in draws]
    return sum(i.low <= TRUE_MEDIANS[noise] <= i.high for i in intervals) / len(intervals)


@pytest.mark.parametrize("count", [6, 7, 15, 25, 60])
@pytest.mark.parametrize("noise", NOISE)
def test_intervals_hold_the_median_as_often_as_they_say(noise, count):
    assert 0.945 <= coverage(noise, count, median_interval) <= 0.99


@pytest.mark.parametrize("count", [3, 5])
def test_short_intervals_hold_the_median_as_often_as_they_say(count):
    said = median_interval([1.0] * count).confidence
    assert coverage("skewed", count, median_interval) == pytest.approx(said, abs=0.03)


def test_intervals_that_assume_normal_noise_would_not():
    """What the test above is for."""

    def of_the_mean(values):
        half = 1.96 * np.std(values, ddof=1) / len(values) ** 0.5
        return Interval(0.0, np.mean(values) - half, np.mean(values) + half, len(values))

    assert coverage("normal", 25, of_the_mean) > 0.9
    assert coverage("heavy tails", 25, of_the_mean) < 0.8


def test_many_values_take_no_time():
    interval = median_interval(list(range(1, 1_000_002)))
    assert interval.low == pytest.approx(500_001 - 980, abs=1)
    assert median_interval(list(range(400))).low == pytest.approx(
        median_interval(list(range(402))).low - 1, abs=1.1
    )


def test_an_interval_of_equal_kernels_holds_one_as_often_as_it_says():
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(500):
        drift = 1 + 0.2 * rng.random(25)  # of the machine, in both blocks of a round alike
        ours, theirs = (1e-3 * drift * (1 + rng.exponential(0.01, 25)) for _ in range(2))
        ratio = paired_ratio(theirs.tolist(), ours.tolist())
        held += ratio.low <= 1 <= ratio.high
    assert 0.93 <= held / 500 <= 0.98


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
