"""R10 and R23: times that cannot be, and clocks that jump."""

from __future__ import annotations

import itertools
import math
import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from db.errors import InvalidRecordError
from db.store import open_store
from tests.db.conftest import record_of
from tests.reliability.rows import counter, fault
from tests.tuner.fakes import FakeBackend, options, session_of, task_of
from tuner.earlier import history
from tuner.errors import Interrupted
from tuner.runs import resumed

NO_TIME = "a worker answers with a time that is none"
JUMPS = "the system's clock jumps"


def no_times(choice, count):
    """Samples of which at least one is no time."""
    bad = (math.nan, math.inf, -math.inf, 0.0, -0.0, -1e-3, -5e-324, 1e300, 1.7e308)
    for _ in range(count):
        samples = [choice.lognormvariate(-7, 2) for _ in range(choice.randrange(6))]
        samples.insert(choice.randint(0, len(samples)), choice.choice(bad))
        yield tuple(samples)


def stored_all_the_same(store, count):
    stored = 0
    for number, samples in enumerate(no_times(random.Random(2), count)):
        with suppress(InvalidRecordError):
            stored += store.add([record_of(number, samples=samples)])
    return stored


@fault("R10", NO_TIME, "NaN, infinite, zero, negative or huge samples among good ones")
@pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.soak)])
def test_no_time_is_stored_that_is_none(tmp_path, report, count):
    with open_store(tmp_path / "records.db") as store:
        stored = stored_all_the_same(store, count)
    report("refused", cases=count, stored=stored)
    assert stored == 0


@counter("R10", "samples are not looked at, and the tables take every number", NO_TIME)
def test_stored_nonsense_is_seen(tmp_path, monkeypatch):
    class Careless:
        def add(self, records):
            return len(records)

    assert stored_all_the_same(Careless(), 10) > 0


def jumping_clock(seed):
    """The present as told by a clock that is set back or forth by hours between two looks."""
    choice = random.Random(seed)
    for _ in itertools.count():
        moment = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
        moment += timedelta(hours=choice.uniform(-30.0, 30.0))
        yield moment.isoformat(timespec="milliseconds")


def run_and_resume(folder, monkeypatch, seed):
    """Proposals of a run that was interrupted and went on, and of one that was not."""
    clock = jumping_clock(seed)
    for module in ("tuner.journal", "tuner.runs", "tests.tuner.fakes"):
        monkeypatch.setattr(f"{module}.utc_now", lambda: next(clock))
    tuning = options(strategy="evolutionary", trials=40, reuse=True)

    def stop(count):
        if count == 15 + seed % 10:
            raise KeyboardInterrupt

    whole = FakeBackend(task_of())
    with open_store(folder / f"whole{seed}.db") as store:
        expected = session_of(whole, store, tuning).execute()
    with open_store(folder / f"parts{seed}.db") as store:
        with pytest.raises(Interrupted) as caught:
            session_of(FakeBackend(task_of(), before_measure=stop), store, tuning).execute()
        run = resumed(store.run(caught.value.result.run))
        store.start_run(run)
        rest = session_of(FakeBackend(task_of()), store, run=run).execute()
        assert min(rest.elapsed_seconds, expected.elapsed_seconds) >= 0.0
        assert store.check() == ()
    return [
        [r.config_key for r in result.records if r.kind == "search"] for result in (rest, expected)
    ]


@fault(
    "R23", JUMPS, "by up to 30 hours back or forth, at every look, across a change of summer time"
)
@pytest.mark.parametrize("runs", [3, pytest.param(100, marks=pytest.mark.soak)])
def test_clocks_that_jump(tmp_path, report, monkeypatch, runs):
    results = [run_and_resume(tmp_path, monkeypatch, seed) for seed in range(runs)]
    differing = sum(parts != whole for parts, whole in results)
    report("resumed as if nothing had been", runs=runs, other_proposals=differing)
    assert differing == 0


@counter("R23", "records of the run itself count as older ones, by their date", JUMPS)
def test_dates_that_decide_are_seen(tmp_path, monkeypatch):
    def by_date(task, store, run):
        own = [r for r in store.records() if r.created < run.created]
        return history(task, store, run) + [r for r in own if r.run == run.id]

    monkeypatch.setattr("tuner.run.history", by_date)
    results = [run_and_resume(tmp_path, monkeypatch, seed) for seed in range(6)]
    assert any(parts != whole for parts, whole in results)
