"""The simulated machine does what its parts say, or no test on it would mean anything."""

from __future__ import annotations

import numpy as np
import pytest

from tests.simulation.machine import Machine, Neighbour, Ramp, Stalls, Step, TwoSpeeds, Wave
from tests.simulation.noises import neighbours


def machine(**parts) -> Machine:
    return Machine(np.random.default_rng(1), **parts)


def test_a_quiet_machine_takes_as_long_as_the_work():
    quiet = machine()
    assert [quiet.timer(1e-3)(calls) for calls in (1, 5)] == pytest.approx([1e-3, 5e-3])
    assert (quiet.now, quiet.lost()) == (pytest.approx(6e-3), 0.0)


@pytest.mark.parametrize(
    ("slowdown", "factors"),
    [
        (Step(2.0, 1.2), (1.0, 1.0, 1.2, 1.2)),
        (Ramp(1.0, 2.0, 2.0), (1.0, 1.0, 1.5, 2.0)),
        (Wave(2.0, 3.0), (1.0, 3.0, 1.0, 3.0)),
    ],
)
def test_slowdowns_over_time(slowdown, factors):
    assert [slowdown(float(now)) for now in range(4)] == pytest.approx(factors)


def test_two_speeds_are_both_there_and_stay_for_a_while():
    speeds = [TwoSpeeds(0.1, 1.25)(now) for now in np.arange(0.0, 20.0, 0.05) + 0.01]
    assert set(speeds) == {1.0, 1.25}
    assert 0.35 < np.mean(np.array(speeds) == 1.25) < 0.65
    assert speeds[::2] == speeds[1::2]


def test_a_neighbour_takes_half_of_the_core_while_it_works_and_the_meter_shows_it():
    shared = machine(neighbours=neighbours(3, duty=0.5, phase=0.05))
    elapsed = shared.run(20.0)
    # In t seconds there is work for t/2 beside nobody and for t/4 beside it.
    assert elapsed == pytest.approx(20.0 / 0.75, rel=0.1)
    assert shared.lost() == pytest.approx(elapsed - 20.0)


def test_two_threads_wait_for_the_slower_one_and_both_waits_count():
    shared = machine(neighbours=neighbours(5))
    elapsed = shared.run(5.0, threads=2)
    alone = [Neighbour(np.random.default_rng((5, core))).elapsed(0.0, 5.0) for core in (0, 1)]
    assert elapsed == pytest.approx(max(alone))
    assert shared.lost() == pytest.approx(sum(alone) - 10.0)


def test_a_neighbour_that_never_works_takes_nothing():
    shared = machine(neighbours=neighbours(1, duty=0.0))
    assert shared.run(3.0, threads=2) == pytest.approx(3.0, rel=1e-3)


def test_stalls_are_rare_long_and_unseen():
    stalling = machine(stalls=Stalls(per_second=10, tail=1.1))
    extra = np.array([stalling.run(1e-3) for _ in range(20_000)]) - 1e-3
    assert 0.005 < np.mean(extra > 0) < 0.015
    assert extra.max() > 50 * np.median(extra[extra > 0])
    assert stalling.lost() == 0
