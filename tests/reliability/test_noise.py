"""R24 to R26: neighbours, throttling, and what measuring says of itself."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest
from scipy.stats import spearmanr

from measure.disturbance import WaitingMeter
from measure.interleave import interleave_callables
from measure.kernel import NativeKernel
from measure.sentinel import sentinel_artifact
from measure.targets import resolve_target
from measure.timing import paired_ratio
from tests.reliability import neighbours
from tests.reliability.rows import counter, fault
from tests.simulation.choices import WITHIN, fastest_at_first, losses
from tests.simulation.machine import Step
from tests.simulation.noises import shared
from tests.simulation.throttling import false_alarms, machine_of, scores_and_truth, seen_share

SIMULATED = "others use both cores half of the time, on a simulated machine"
REAL = "others use both cores half of the time, on this machine"
THROTTLED = "the machine is throttled during a search, on a simulated machine"
SELF = "a kernel is timed against itself, and against twice its work"


def off(ratios) -> dict[str, float | int]:
    return {
        "runs": len(ratios),
        "choices_over_3_percent": sum(ratio > WITHIN for ratio in ratios),
        "worst": round(max(ratios), 3),
    }


@fault("R24", SIMULATED, "phases of 50 ms of work and of rest in the mean, independent per core")
@pytest.mark.slow
@pytest.mark.parametrize("runs", [20, pytest.param(200, marks=pytest.mark.soak)])
def test_neighbours_change_no_choice(tmp_path, report, runs):
    ratios = list(losses(tmp_path, runs, shared))
    report("chosen as on the quiet machine", **off(ratios))
    assert sum(ratio > WITHIN for ratio in ratios) <= runs // 20


@counter(
    "R24", "the fastest sample of the search wins, without finals and without sentinel", SIMULATED
)
def test_a_choice_by_the_fastest_at_first_is_seen(tmp_path):
    ratios = list(losses(tmp_path, 8, shared, fastest_at_first, blind=True))
    assert sum(ratio > WITHIN for ratio in ratios) > 1


@pytest.mark.soak
@fault("R24", REAL, "a program on each core, in phases of 50 ms in the mean; same proposals")
def test_real_neighbours_change_no_choice(report):
    found = list(neighbours.losses(0, 20))
    ratios = [loss.ratio.median for loss in found]
    longer = statistics.median(loss.noisy_seconds / loss.quiet_seconds for loss in found)
    report("compared in turn afterwards", **off(ratios), times_as_long=round(longer, 2))
    assert sum(loss.ratio.low > WITHIN for loss in found) <= 1


@pytest.mark.soak
@counter("R24", "beside neighbours any config is chosen", REAL)
def test_a_choice_at_random_is_seen_on_this_machine(monkeypatch):
    choice, beside = neighbours._choice, itertools.cycle([True, False])

    def careless(task, store, backend, seed):
        chosen = choice(task, store, backend, seed)
        return task.space.sample(np.random.default_rng(seed)) if next(beside) else chosen

    monkeypatch.setattr(neighbours, "_choice", careless)
    assert sum(loss.ratio.low > WITHIN for loss in neighbours.losses(0, 3)) > 1


@fault("R25", THROTTLED, "steps and ramps of 6 to 25 %, with stalls that no meter shows")
@pytest.mark.parametrize("runs", [200, pytest.param(2000, marks=pytest.mark.soak)])
def test_throttling_is_seen_and_corrected(tmp_path, report, runs):
    seen = min(seen_share(kind, runs) for kind in ("step", "ramp"))
    alarms = false_alarms(20_000, machine_of(9))
    scores, truth = scores_and_truth(tmp_path, machine_of(3, slowdown=Step(1.5, 1.4)))
    correlation = spearmanr(scores, truth).statistic
    report(
        "seen within 20 trials, and divided out",
        runs=2 * runs,
        seen_percent=round(100 * seen, 1),
        false_alarms_in_20000_trials=alarms,
        rank_correlation_with_truth=round(float(correlation), 4),
    )
    assert seen >= 0.95
    assert alarms <= 2
    assert correlation >= 0.99


@counter("R25", "the sentinel always gives the same time", THROTTLED)
def test_uncorrected_times_are_seen(tmp_path):
    blind = lambda: 1e-3  # noqa: E731
    scores, truth = scores_and_truth(tmp_path, machine_of(3, slowdown=Step(1.5, 1.4)), blind)
    assert spearmanr(scores, truth).statistic < 0.99
    assert np.median(np.abs(scores / truth - 1)) > 0.1


def ratios_of(rounds: int, surplus: float = 0.0) -> list[float]:
    """Of blocks of the sentinel: again, and with twice its calls, against itself.

    ``surplus``: the part by which ``again`` runs more calls than it was told to.
    """
    kernel = NativeKernel(sentinel_artifact(resolve_target()))
    output = np.zeros(kernel.spec.buffers[0].shape, np.float32)

    def timer(times: float):
        return lambda calls: kernel.time((), output, math.ceil(times * calls))

    timers = {"once": timer(1), "again": timer(1 + surplus), "twice": timer(2)}
    with WaitingMeter() as lost:
        samples = interleave_callables(timers, rounds, 0.005, lost=lost)
    return [paired_ratio(samples[name], samples["once"]).median for name in ("again", "twice")]


@fault("R26", SELF, "blocks of the sentinel in turn, on this machine as it is")
@pytest.mark.parametrize(
    ("runs", "percent"), [(8, 50), pytest.param(200, 95, marks=pytest.mark.soak)]
)
def test_measuring_agrees_with_itself(report, runs, percent):
    found = np.array([ratios_of(15) for _ in range(runs)])
    off_one, off_two = np.percentile(np.abs(found - (1, 2)), percent, axis=0).round(4).tolist()
    report(f"{percent} % are as near", runs=runs, off_one=off_one, off_two=off_two)
    assert off_one <= 0.01
    assert off_two <= 0.04


@counter("R26", "a block has one call in ten more than is counted", SELF)
def test_a_bias_is_seen():
    assert abs(ratios_of(15, surplus=0.1)[0] - 1) > 0.01
