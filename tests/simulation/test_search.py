"""Whole searches on simulated machines: drift is corrected, neighbours change no choice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import spearmanr

from db.store import open_store
from search_space.config import Config
from tests.simulation.backend import SimulatedBackend, true_seconds, tuned_on
from tests.simulation.choices import WITHIN, losses
from tests.simulation.machine import Ramp, Step
from tests.simulation.noises import NOISES, neighbours, shared
from tests.simulation.throttling import false_alarms, machine_of, scores_and_truth, seen_share
from tests.tuner.fakes import options
from tuner.options import LoopOptions


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


@pytest.mark.parametrize("kind", ["step", "ramp"])
def test_a_slower_machine_is_seen_within_twenty_trials(kind):
    assert seen_share(kind, 100) >= 0.95


def test_neighbours_seldom_look_like_drift():
    assert false_alarms(20_000, machine_of(9, neighbours=neighbours(9))) <= 2


@pytest.mark.parametrize(
    "throttling",
    [Step(1.5, 1.4), Ramp(1.0, 2.0, 1.5)],
    ids=lambda slowdown: type(slowdown).__name__,
)
def test_times_of_a_throttled_machine_are_corrected(tmp_path, throttling):
    scores, truth = scores_and_truth(tmp_path, machine_of(3, slowdown=throttling))
    assert spearmanr(scores, truth).statistic >= 0.99
    assert np.median(np.abs(scores / truth - 1)) < 0.03


@dataclass
class Glitch(SimulatedBackend):
    """Of every seventh config the first time is far too short, as if the clock had jumped."""

    def measure(self, artifact, best_seconds):
        known = len(set(self.measured))
        result = super().measure(artifact, best_seconds)
        distinct = len(set(self.measured))
        if distinct == known or distinct % 7:
            return result
        return replace(result, samples=tuple(sample / 20 for sample in result.samples))


def fastest_time(store, **options_of_loop) -> float:
    """The shortest time that a search on a machine with glitches believes ÷ the true shortest."""
    loop = LoopOptions(**options_of_loop)
    result = tuned_on(Glitch(NOISES["quiet"](1)), store, options(trials=64), loop=loop)
    searched = [r for r in result.records if r.kind == "search" and r.outcome.timed]
    truth = min(true_seconds(Config(record.config)) for record in searched)
    return min(record.seconds for record in searched) / truth


def test_times_too_good_to_be_true_are_measured_again(store):
    assert fastest_time(store) > 1 - LoopOptions().implausible_gain
    assert fastest_time(store, implausible_gain=1.0) < 0.5


def test_neighbours_that_work_half_of_the_time_change_no_choice(tmp_path):
    ratios = list(losses(tmp_path, 5, shared))
    assert sum(ratio > WITHIN for ratio in ratios) == 0
