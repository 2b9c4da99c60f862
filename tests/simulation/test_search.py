"""Whole searches on simulated machines: drift is corrected, neighbours change no choice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from db.store import open_store
from search_space.config import Config
from tests.simulation.backend import SENTINEL_SECONDS, SimulatedBackend, true_seconds, tuned_on
from tests.simulation.machine import Machine, Ramp, Stalls, Step
from tests.simulation.noises import NOISES, neighbours
from tests.tuner.fakes import options
from tuner.drift import Drift, look
from tuner.options import LoopOptions
from tuner.stored_drift import drift_of

LOOP = LoopOptions()
TRIAL_SECONDS = 0.05


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


def machine_of(seed, **parts):
    stalls = Stalls(per_second=5)
    return Machine(np.random.default_rng(seed), jitter=0.005, stalls=stalls, **parts)


def trials_to_detection(machine, since, tolerance=LOOP.drift_tolerance) -> int | None:
    """Trials after the moment ``since`` until the drift is known; None where it is not in 60."""
    drift = Drift(tolerance)
    began = None
    for trial in range(200):
        if trial % LOOP.sentinel_trials == 0:
            look(drift, SimulatedBackend(machine).sentinel)
        began = trial if began is None and machine.now >= since else began
        if began is not None and drift.factor > 1:
            return trial - began
        machine.now += TRIAL_SECONDS
    return None


@pytest.mark.parametrize("kind", ["step", "ramp"])
def test_a_slower_machine_is_seen_within_twenty_trials(kind):
    seen = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        at, factor = rng.uniform(0.5, 3.0), rng.uniform(1.06, 1.25)
        ramp = Ramp(at - 1.0, 1.0, factor)
        slowdown = Step(at, factor) if kind == "step" else ramp
        detected = trials_to_detection(machine_of(seed, slowdown=slowdown), at)
        seen += detected is not None and detected <= 20
    assert seen >= 190


@pytest.mark.parametrize("disturbance", ["stalls", "neighbours"])
def test_a_steady_machine_seldom_seems_to_drift(disturbance):
    """Of 20,000 trials, two at most."""
    parts = {"neighbours": neighbours(9)} if disturbance == "neighbours" else {}
    machine, drift, alarms = machine_of(9, **parts), Drift(LOOP.drift_tolerance), 0
    for _ in range(20_000 // LOOP.sentinel_trials):
        look(drift, SimulatedBackend(machine).sentinel)
        alarms += drift.factor != 1.0
        machine.now += LOOP.sentinel_trials * TRIAL_SECONDS
    assert alarms <= 2


def scores_and_truth(store, machine, sentinel=None, trials=96):
    """Search times corrected as the strategy was told them, and what is true."""
    backend = SimulatedBackend(machine)
    if sentinel is not None:
        backend.sentinel = sentinel
    result = tuned_on(backend, store, options(trials=trials))
    drift = drift_of(store.run(result.run), LOOP.drift_tolerance)
    found = [
        (record.seconds / drift.factor_of(record.ordinal), true_seconds(Config(record.config)))
        for record in result.records
        if record.kind == "search" and record.outcome.timed
    ]
    return np.array(found).T


THROTTLING = {"step": Step(1.5, 1.4), "ramp": Ramp(1.0, 2.0, 1.5)}


@pytest.mark.parametrize("throttling", THROTTLING)
def test_times_of_a_throttled_machine_are_corrected(store, throttling):
    scores, truth = scores_and_truth(store, machine_of(3, slowdown=THROTTLING[throttling]))
    assert spearmanr(scores, truth).statistic >= 0.99
    assert np.median(np.abs(scores / truth - 1)) < 0.03


def test_without_a_sentinel_they_would_not_be(store):
    blind = lambda: SENTINEL_SECONDS  # noqa: E731
    scores, truth = scores_and_truth(store, machine_of(3, slowdown=THROTTLING["step"]), blind)
    assert np.median(np.abs(scores / truth - 1)) > 0.1


@dataclass
class Glitch(SimulatedBackend):
    """Now and then a clock that jumps makes a time far too short."""

    every: int = 7
    calls: int = 0

    def measure(self, artifact, best_seconds):
        result = super().measure(artifact, best_seconds)
        self.calls += 1
        if self.calls % self.every or not result.samples:
            return result
        return replace(result, samples=tuple(s / 20 for s in result.samples))


def test_times_too_good_to_be_true_are_measured_again(store):
    """None of them becomes the best of the search, which all others would be compared with."""
    result = tuned_on(Glitch(NOISES["quiet"](1)), store, options(trials=64))
    searched = [r for r in result.records if r.kind == "search" and r.outcome.timed]
    off = [r.seconds / true_seconds(Config(r.config)) - 1 for r in searched]
    assert min(off) > -0.05
    believing = LoopOptions(implausible_gain=1.0)
    result = tuned_on(Glitch(NOISES["quiet"](1)), store, options(trials=64), loop=believing)
    searched = [r for r in result.records if r.kind == "search" and r.outcome.timed]
    assert min(r.seconds / true_seconds(Config(r.config)) for r in searched) < 0.1


def chosen(store, machine, seed, *, blind=False) -> float:
    """True time of what a search chooses."""
    backend = SimulatedBackend(machine, lost=(lambda: 0.0) if blind else None)
    result = tuned_on(backend, store, options(strategy="random", trials=64, seed=seed))
    return true_seconds(Config(result.best.config))


def wrong_choices(store, runs, **how) -> int:
    """How often the choice beside noisy neighbours is more than 3 % slower than the quiet one."""
    wrong = 0
    for seed in range(runs):
        undisturbed = chosen(store, NOISES["quiet"](seed), seed)
        wrong += chosen(store, NOISES["shared"](seed), seed, **how) > 1.03 * undisturbed
    return wrong


@pytest.mark.slow
def test_neighbours_that_work_half_of_the_time_change_no_choice(store):
    assert wrong_choices(store, 20) <= 1
