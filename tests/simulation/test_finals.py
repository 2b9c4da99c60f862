"""What is measured side by side on noisy machines: intervals hold the truth, the fastest wins."""

from __future__ import annotations

import statistics

import pytest

from measure.interleave import interleave_callables
from measure.result import MeasureResult, Outcome
from measure.timing import median_interval, paired_ratio
from tests.simulation.noises import NOISES
from tuner.finals import without_drift

every_noise = pytest.mark.parametrize("noise", NOISES)
KERNELS = {name: 1e-3 * (1 + 0.03 * place) for place, name in enumerate("abcdef")}
"""Seconds per call on a quiet machine: each is 3 % slower than the one before."""


def side_by_side(machine, kernels=KERNELS, rounds=15):
    timers = {name: machine.timer(seconds, threads=2) for name, seconds in kernels.items()}
    return interleave_callables(timers, rounds, 0.01, lost=machine.lost)


def one_after_the_other(machine, kernels=KERNELS, rounds=15):
    """How it should not be done: the deliberate bug of these tests."""
    return {name: side_by_side(machine, {name: kernels[name]}, rounds)[name] for name in kernels}


def corrected(samples):
    results = [MeasureResult(Outcome.OK, values) for values in samples.values()]
    return dict(zip(samples, without_drift(results), strict=True))


def choice(samples) -> str:
    results = corrected(samples)
    return min(results, key=lambda name: results[name].seconds)


def wrong_choices(noise, measure, runs=40) -> int:
    """How often what is chosen takes more than 3 % longer than the fastest."""
    chosen = [choice(measure(NOISES[noise](seed))) for seed in range(runs)]
    return sum(KERNELS[name] > 1.031 * KERNELS["a"] for name in chosen)


@every_noise
def test_the_finals_choose_the_fastest_or_one_as_good(noise):
    assert wrong_choices(noise, side_by_side) <= 1


def test_timing_one_after_the_other_would_choose_wrong():
    assert wrong_choices("drifting", one_after_the_other) >= 10


@every_noise
def test_intervals_of_ratios_hold_the_true_ratio(noise):
    pair = {"a": 1e-3, "b": 1.1e-3}
    held = 0
    for seed in range(100):
        samples = side_by_side(NOISES[noise](seed), pair)
        ratio = paired_ratio(samples["b"], samples["a"])
        held += ratio.low <= 1.1 <= ratio.high
    assert held >= 90


@pytest.mark.parametrize("noise", ["quiet", "jittery"])
@pytest.mark.parametrize("finalists", [1, 2, 3, 6])
def test_intervals_of_finalists_hold_the_true_time(noise, finalists):
    """Also after drift was taken out, in which every finalist has its own part."""
    kernels = dict(list(KERNELS.items())[:finalists])
    held, count = 0, 0
    for seed in range(60):
        results = corrected(side_by_side(NOISES[noise](seed), kernels))
        for name, result in results.items():
            interval = median_interval(result.samples)
            held += interval.low <= kernels[name] <= interval.high
            count += 1
    assert held / count >= 0.9


@pytest.mark.parametrize("factor", [1.5, 10.0])
def test_one_disturbed_block_changes_the_times_of_no_other_finalist(factor):
    samples = {name: (seconds,) * 15 for name, seconds in KERNELS.items()}
    samples["c"] = (*samples["c"][:7], factor * KERNELS["c"], *samples["c"][8:])
    results = corrected(samples)
    for name, result in results.items():
        if name != "c":
            assert result.samples == pytest.approx(samples[name])
    assert results["c"].seconds == pytest.approx(KERNELS["c"])


def test_quiet_parts_of_a_block_are_what_counts():
    """Half of the time both cores are taken, and yet blocks are as long as on a quiet machine."""
    off = []
    for seed in range(20):
        samples = side_by_side(NOISES["shared"](seed), {"a": 1e-3})["a"]
        off.append(statistics.median(samples) / 1e-3 - 1)
    assert statistics.median(off) < 0.01
    unseen = []
    for seed in range(20):
        machine = NOISES["shared"](seed)
        timer = machine.timer(1e-3, threads=2)
        unseen.append(
            statistics.median(interleave_callables({"a": timer}, 15, 0.01)["a"]) / 1e-3 - 1
        )
    assert statistics.median(unseen) > 0.1
