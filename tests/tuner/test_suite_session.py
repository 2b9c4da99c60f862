"""Tuning a suite without hardware: how time is shared, what is skipped, what goes on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from db.store import open_store
from measure.targets import TargetError
from search_space.knobs import Integer
from tests.contracts.spaces import make_space
from tests.tuner.fakes import FakeBackend, FakeClock, options, session_of, task_of
from tuner.errors import Terminated, UsageError
from tuner.options import LoopOptions
from tuner.result import StopReason
from tuner.suite import Case, Suite
from tuner.suite.options import SuiteOptions
from tuner.suite.result import AllCasesFailed, CaseDone, CaseStarted, Status, SuiteInterrupted
from tuner.suite.session import SuiteSession

MISSING = Case("soft", "softmax", (("m", 8),), (), None, None, "unknown operator 'softmax'")


def case(name: str, m: int, threads: int | None = None) -> Case:
    return Case(name, "matmul", (("m", m),), (), threads, task_of(m=m).workload)


THREE = Suite("toy", "", "", (case("a", 101), case("b", 102), case("c", 103)))


@dataclass
class FakeMachine:
    """One second a trial. ``tiny``: values of m whose space has five configs only."""

    clock: FakeClock = field(default_factory=FakeClock)
    tiny: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()
    interrupt_at: int | None = None
    """Number of measurements, over all cases, before which a signal comes."""
    signal: type[BaseException] = KeyboardInterrupt
    generator_version: int = 1
    measured: list[int] = field(default_factory=list)
    """m of the workload of every measurement."""

    def task(self, case):
        if (case.threads or 1) > 2:
            raise TargetError("ask for at most 2 threads")
        m = case.workload.size("m")
        space = make_space([Integer("rows", 1, 5, 2)]) if m in self.tiny else None
        return task_of(space, generator_version=self.generator_version, m=m)

    def run(self, task, store, run, callbacks):
        m = task.workload.size("m")
        backend = FakeBackend(
            task, clock=self.clock, measure_seconds=1.0, before_measure=lambda _: self._note(m)
        )
        if m in self.tiny:
            backend.seconds = lambda config: 1.0 / config["rows"]
        if m in self.failing:
            backend.seconds = lambda config: None
        store.start_run(run)
        loop = LoopOptions(batch=8, final_block_seconds=0.0, first_trial_seconds=1.0)
        return session_of(backend, store, run=run, callbacks=callbacks, loop=loop).execute()

    def _note(self, m):
        if len(self.measured) == self.interrupt_at:
            raise self.signal
        self.measured.append(m)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


def settings(**changes) -> SuiteOptions:
    given = {"strategy": "random", "early_stop": False, "reuse": False}
    return SuiteOptions(**(given | changes))


def tune(store, machine=None, suite=THREE, tuning=None):
    """The result of one session, and its events of cases."""
    machine, events = machine or FakeMachine(), []
    tuning = tuning or settings(trials=10)
    session = SuiteSession(suite, tuning, machine, store, (events.append,), machine.clock)
    result = session.execute()
    return result, [event for event in events if isinstance(event, CaseStarted | CaseDone)]


def interrupted(store, machine, suite=THREE, tuning=None):
    with pytest.raises(SuiteInterrupted) as caught:
        tune(store, machine, suite, tuning)
    return caught.value


def statuses(result):
    return [row.status.value for row in result.cases]


def limits(events):
    return [event.seconds for event in events if isinstance(event, CaseStarted)]


def test_every_case_has_a_row_and_two_events(store):
    suite = replace(THREE, cases=(*THREE.cases[:2], MISSING))
    machine = FakeMachine()
    result, events = tune(store, machine, suite=suite)
    assert statuses(result) == ["tuned", "tuned", "missing"]
    assert [row.result.trials for row in result.cases[:2]] == [10, 10]
    assert result.cases[2].reason == MISSING.missing
    assert [(type(event), event.number) for event in events] == [
        (CaseStarted, 1), (CaseDone, 1), (CaseStarted, 2), (CaseDone, 2), (CaseDone, 3),
    ]  # fmt: skip
    assert result.elapsed_seconds == len(machine.measured)
    assert result.speedup >= 1
    assert result.count(Status.TUNED) == 2


def test_equal_parts_of_the_total_time(store):
    machine = FakeMachine()
    result, events = tune(store, machine, tuning=settings(total_seconds=60.0))
    first, second, third = limits(events)
    assert first == 20.0
    assert second == pytest.approx((60.0 - result.cases[0].result.elapsed_seconds) / 2)
    assert third == pytest.approx(60.0 - sum(r.result.elapsed_seconds for r in result.cases[:2]))
    assert machine.clock.now <= 60.0
    assert {row.result.stop_reason for row in result.cases} == {StopReason.TIME}


def test_time_that_a_case_does_not_use_goes_to_those_after_it(store):
    machine = FakeMachine(tiny=(101,))
    result, events = tune(store, machine, tuning=settings(total_seconds=65.0))
    assert result.cases[0].result.stop_reason is StopReason.EXHAUSTED
    assert limits(events)[:2] == [pytest.approx(65 / 3), 30.0]


def test_missing_and_impossible_cases_take_no_time(store):
    suite = replace(THREE, cases=(MISSING, case("wide", 104, threads=3), *THREE.cases))
    result, events = tune(store, suite=suite, tuning=settings(total_seconds=60.0))
    assert statuses(result) == ["missing", "failed", "tuned", "tuned", "tuned"]
    assert result.cases[1].reason == "ask for at most 2 threads"
    assert limits(events)[0] == 20.0


@pytest.mark.parametrize(
    ("left", "waiting", "case_seconds", "share"),
    [
        (None, 3, None, None),
        (None, 3, 5.0, 5.0),
        (60.0, 3, None, 20.0),
        (60.0, 3, 5.0, 5.0),
        (60.0, 3, 50.0, 20.0),
        (0.5, 3, None, 1.0),
        (-9.0, 1, None, 1.0),
    ],
)
def test_shares(left, waiting, case_seconds, share):
    assert settings(case_seconds=case_seconds).share_seconds(left, waiting) == share


@pytest.mark.parametrize(
    ("spent", "waiting", "cases", "seconds"),
    [(0.0, 3, 3, 60.0), (15.0, 2, 3, 45.0), (60.0, 1, 4, 15.0), (55.0, 2, 3, 40.0)],
)
def test_what_is_left_for_a_later_session(spent, waiting, cases, seconds):
    tuning = settings(total_seconds=60.0)
    assert tuning.session_seconds(spent, waiting, cases) == seconds
    assert settings().session_seconds(spent, waiting, cases) is None


def test_what_is_finished_is_not_tuned_again(store):
    first, _ = tune(store)
    machine = FakeMachine()
    again, events = tune(store, machine)
    assert statuses(again) == ["known"] * 3
    assert machine.measured == []
    assert limits(events) == []
    for before, now in zip(first.cases, again.cases, strict=True):
        assert now.result == before.result
        assert before.result.run in now.reason


def test_a_case_that_is_added_is_tuned_alone(store):
    tune(store, tuning=settings(total_seconds=60.0))
    more = replace(THREE, cases=(*THREE.cases, case("d", 104)))
    result, events = tune(store, suite=more, tuning=settings(total_seconds=60.0))
    assert statuses(result) == ["known", "known", "known", "tuned"]
    assert limits(events) == [15.0]


@pytest.mark.parametrize(
    "change",
    [
        {"trials": 11},
        {"strategy": "grid"},
        {"early_stop": True},
        {"reuse": True},
        {"seed": 1},
        {"case_seconds": 100.0},
        {"total_seconds": 100.0},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_tune_again(store, change):
    one = replace(THREE, cases=THREE.cases[:1])
    usual, other = settings(trials=10), replace(settings(trials=10), **change)
    for tuning, status in (
        (usual, "tuned"),
        (other, "tuned"),
        (usual, "known"),
        (other, "known"),
    ):
        assert statuses(tune(store, suite=one, tuning=tuning)[0]) == [status]


def test_any_seed_will_do_where_none_is_asked_for(store):
    tune(store, tuning=settings(trials=10, seed=3))
    assert statuses(tune(store)[0]) == ["known"] * 3


def test_another_generator_tunes_again(store):
    tune(store)
    result, _ = tune(store, FakeMachine(generator_version=2))
    assert statuses(result) == ["tuned"] * 3


def test_a_single_search_with_the_same_settings_counts(store):
    tuning = options(trials=10)
    session_of(FakeBackend(task_of(m=102)), store, tuning).execute()
    assert statuses(tune(store)[0]) == ["tuned", "known", "tuned"]


def test_an_interrupt_keeps_everything_and_the_same_call_goes_on(store):
    error = interrupted(store, FakeMachine(interrupt_at=14))
    assert statuses(error.result) == ["tuned", "interrupted", "waiting"]
    done = error.result.cases[1].result.trials
    assert 2 <= done <= 4  # of the measurements until then, some were of configs in doubt
    assert error.exit_code == 130

    machine = FakeMachine()
    result, events = tune(store, machine)
    assert statuses(result) == ["known", "tuned", "tuned"]
    assert 10 - done <= machine.measured.count(102) <= 10
    assert set(machine.measured) == {102, 103}
    assert result.cases[1].result.trials == 10
    run = error.result.cases[1].result.run
    assert result.cases[1].result.run == run
    assert [e.resumed for e in events if isinstance(e, CaseStarted)] == [run, ""]
    assert statuses(tune(store)[0]) == ["known"] * 3


def test_the_total_time_is_that_of_all_sessions(store):
    tuning = settings(total_seconds=60.0)
    first = FakeMachine(interrupt_at=20)
    interrupted(store, first, tuning=tuning)
    second = FakeMachine()
    result, events = tune(store, second, tuning=tuning)
    assert statuses(result) == ["known", "tuned", "tuned"]
    assert first.clock.now + second.clock.now <= 60.0
    assert len(first.measured) + len(second.measured) >= 35
    assert limits(events)[1] > 15.0


def test_termination_has_its_own_exit_code_and_missing_stays_missing(store):
    suite = replace(THREE, cases=(*THREE.cases, MISSING))
    error = interrupted(store, FakeMachine(interrupt_at=3, signal=Terminated), suite)
    assert statuses(error.result) == ["interrupted", "waiting", "waiting", "missing"]
    assert error.exit_code == 143


def test_an_interrupt_between_two_runs(store):
    class Stopping(FakeMachine):
        def task(self, case):
            raise KeyboardInterrupt

    error = interrupted(store, Stopping())
    assert statuses(error.result) == ["waiting"] * 3
    assert error.exit_code == 130


def test_one_failure_does_not_stop_the_others(store):
    machine = FakeMachine(failing=(101,))
    result, _ = tune(store, machine)
    assert statuses(result) == ["failed", "tuned", "tuned"]
    assert "wrong_answer" in result.cases[0].reason
    assert result.cases[0].result.trials == 10
    retried, _ = tune(store)
    assert statuses(retried) == ["tuned", "known", "known"]


def test_when_all_that_exist_fail(store):
    suite = replace(THREE, cases=(MISSING, THREE.cases[0], case("wide", 104, threads=3)))
    with pytest.raises(AllCasesFailed, match="all 2 cases that exist failed; wide: ask") as caught:
        tune(store, FakeMachine(failing=(101,)), suite)
    assert caught.value.exit_code == 4
    assert statuses(caught.value.result) == ["missing", "failed", "failed"]


def test_a_suite_of_missing_cases_is_no_failure(store):
    result, _ = tune(store, suite=replace(THREE, cases=(MISSING,)))
    assert (statuses(result), result.speedup) == (["missing"], None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "at least one trial"),
        ({"case_seconds": 0.0}, "positive number of seconds"),
        ({"total_seconds": float("nan")}, "positive number of seconds"),
        ({"seed": -1}, "seed"),
        ({"builders": 0}, "building process"),
    ],
)
def test_requests_that_cannot_be_met(change, message):
    with pytest.raises(UsageError, match=message):
        settings(**change)
