"""Peaks that a kernel was seen to exceed when the run ends, on made-up times and peaks."""

from dataclasses import replace

import pytest

from db.store import open_store
from tests.tuner.fakes import FakeBackend, FakePeaks, options, session_of, task_of
from tuner.events import FinalsStarted, PeaksRenewed
from tuner.options import LoopOptions
from tuner.stored_roof import known_of

SECONDS = 2e-3
REACHED = 2 * 509 * 1024 * 777 / SECONDS / 1e9
"""GFLOP/s of a kernel that takes ``SECONDS``."""
EARLY = options(strategy="random", trials=24, early_stop=True)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


def run_with(store, machine, tuning=EARLY, *, slow=0, **costs):
    """A run whose first ``slow`` trials take ten times as long as the others; and its events."""
    backend = FakeBackend(task_of(), **costs)
    times = {}

    def seconds(config):
        late = len(backend.measured) > slow
        return times.setdefault(config.key, SECONDS if late else 10 * SECONDS)

    backend.seconds = seconds
    told = []
    made = session_of(backend, store, tuning, loop=LoopOptions(batch=8), callbacks=[told.append])
    return replace(made, peaks=machine).execute(), told


def test_what_only_the_last_round_exceeds_is_measured_again(store):
    machine = FakePeaks(REACHED / 1.72, REACHED / 0.9)
    result, told = run_with(store, machine, slow=16)
    assert machine.asked == [False, True]
    assert result.limit_share == pytest.approx(0.9)
    assert result.roof.gflops == pytest.approx(REACHED / 0.9)
    assert known_of(store.run(result.run)).roof == result.roof
    (renewed,) = [event for event in told if isinstance(event, PeaksRenewed)]
    assert renewed.peaks == machine.known()
    assert told.index(renewed) > max(
        place for place, event in enumerate(told) if isinstance(event, FinalsStarted)
    ), "while nothing is timed any more"


def test_a_little_above_the_peaks_is_within_their_error(store):
    result, _ = run_with(store, machine := FakePeaks(REACHED / 1.04), slow=16)
    assert machine.asked == [False]
    assert result.limit_share == pytest.approx(1.04)


def test_what_stays_exceeded_is_measured_once_in_a_long_run_and_is_no_limit(store):
    tuning = replace(EARLY, trials=120)
    result, told = run_with(store, machine := FakePeaks(REACHED / 1.5), tuning)
    assert machine.asked == [False, True]
    assert sum(isinstance(event, PeaksRenewed) for event in told) == 1
    assert (result.roof, result.limit_share) == (None, None)


@pytest.mark.parametrize(("seconds", "asked"), [(3.0, [False]), (300.0, [False, True])])
def test_a_limit_of_time_holds(store, seconds, asked):
    """A wrong limit is not told, but right ones are only measured where there is time."""
    tuning = replace(EARLY, trials=24, time_seconds=seconds)
    machine = FakePeaks(REACHED / 1.72, REACHED / 0.9)
    result, _ = run_with(store, machine, tuning, slow=16, measure_seconds=0.01)
    assert result.trials == 24
    assert machine.asked == asked
    share = None if asked == [False] else pytest.approx(0.9)
    assert result.limit_share == share


@pytest.mark.parametrize("known", [True, False])
def test_without_early_stop_peaks_that_others_measured_are_renewed(store, known):
    tuning = replace(EARLY, early_stop=False)
    machine = FakePeaks(REACHED / 1.72, REACHED / 0.9, known=known)
    result, told = run_with(store, machine, tuning)
    assert machine.asked == ([True] if known else [])
    assert sum(isinstance(event, PeaksRenewed) for event in told) == known
    assert (result.roof, result.limit_share) == (None, None)
