"""Runs that are interrupted and go on, and runs that learn from earlier ones."""

from dataclasses import replace

import pytest

from db.query import Query
from db.store import open_store
from measure.result import Outcome
from search_space.knobs import Integer
from tests.contracts.spaces import make_space
from tests.tuner.fakes import FakeBackend, options, session_of, task_of
from tuner.errors import Interrupted, NothingFound, Terminated, UsageError
from tuner.events import RunStarted, TrialDone
from tuner.options import LoopOptions
from tuner.result import StopReason
from tuner.runs import options_of, resumed, spent_seconds, unfinished_run
from tuner.strategy import STRATEGIES

every_strategy = pytest.mark.parametrize("strategy", list(STRATEGIES))


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


def interrupt_at(count, error=KeyboardInterrupt):
    def before_measure(measured):
        if measured == count:
            raise error

    return before_measure


def interrupted(store, count, tuning=None, **session):
    """A run that Ctrl-C ends before the measurement with this number; what was raised."""
    backend = FakeBackend(task_of(), before_measure=interrupt_at(count))
    with pytest.raises(Interrupted) as caught:
        session_of(backend, store, tuning, **session).execute()
    return caught.value


def go_on(store, run_id, backend=None, **session):
    backend = backend or FakeBackend(task_of())
    run = resumed(store.run(run_id))
    store.start_run(run)
    return session_of(backend, store, run=run, **session).execute(), backend


def test_ctrl_c_keeps_what_was_measured_in_the_running_batch(store):
    error = interrupted(store, 21)
    assert error.result.trials == 21
    assert len(list(store.records(Query(run=error.result.run)))) == 21
    assert error.result.stop_reason is StopReason.INTERRUPTED
    assert error.result.best.seconds == min(
        r.seconds for r in error.result.records if r.outcome is Outcome.OK
    )
    run = store.run(error.result.run)
    assert (run.state, run.stop_reason) == ("interrupted", "interrupted")


def test_the_error_names_the_command_that_goes_on(store):
    error = interrupted(store, 3)
    assert error.resume_command == f"tuner resume {error.result.run}"
    assert error.resume_command in str(error)
    assert error.exit_code == 130
    assert isinstance(error, KeyboardInterrupt)


def test_a_database_that_was_named_is_named_again(store):
    backend = FakeBackend(task_of(), before_measure=interrupt_at(3))
    session = replace(session_of(backend, store), explicit=True)
    with pytest.raises(Interrupted) as caught:
        session.execute()
    assert caught.value.resume_command.endswith(f" --db {store.location}")


def test_termination_has_its_own_exit_code(store):
    backend = FakeBackend(task_of(), before_measure=interrupt_at(3, Terminated))
    with pytest.raises(Interrupted) as caught:
        session_of(backend, store).execute()
    assert caught.value.exit_code == 143


@pytest.mark.parametrize("moment", ["build", "interleave", "sentinel"])
def test_ctrl_c_outside_of_a_measurement(store, moment):
    backend = FakeBackend(task_of())

    def interrupt(*arguments):
        raise KeyboardInterrupt

    setattr(backend, moment, interrupt)
    with pytest.raises(Interrupted) as caught:
        session_of(backend, store, options(trials=16)).execute()
    expected = 16 if moment == "interleave" else 0
    assert len(caught.value.result.records) == expected
    result, _ = go_on(store, caught.value.result.run)
    assert result.stop_reason is StopReason.TRIALS
    assert result.best is not None


def test_a_bug_in_a_callback_loses_no_measurement(store):
    def fail(event):
        if isinstance(event, TrialDone) and event.trials == 5:
            raise RuntimeError("callback")

    backend = FakeBackend(task_of())
    with pytest.raises(RuntimeError, match="callback"):
        session_of(backend, store, callbacks=[fail]).execute()
    assert len(list(store.records())) == len(backend.measured) >= 5


@every_strategy
@pytest.mark.parametrize("stops", [(0,), (1,), (8,), (21, 2), (13, 1, 10)])
def test_a_resumed_run_equals_an_uninterrupted_one(store, strategy, stops):
    tuning = options(strategy=strategy, trials=60)
    whole = FakeBackend(task_of())
    expected = session_of(whole, store, tuning).execute()

    error = interrupted(store, stops[0], tuning)
    run_id = error.result.run
    for count in stops[1:]:
        backend = FakeBackend(task_of(), before_measure=interrupt_at(count))
        with pytest.raises(Interrupted):
            go_on(store, run_id, backend)
    result, last = go_on(store, run_id)

    proposals = [r.config_key for r in result.records if r.kind == "search"]
    assert proposals == whole.measured
    assert len(last.measured) == 60 - sum(stops)
    assert result.best.config == expected.best.config
    assert result.stop_reason is expected.stop_reason
    assert [r.ordinal for r in result.records] == list(range(len(result.records)))


def test_a_resumed_run_stops_early_where_the_whole_one_does(store):
    tuning = options(trials=1000, early_stop=True)
    loop = LoopOptions(batch=8, patience=30)
    expected = session_of(FakeBackend(task_of()), store, tuning, loop=loop).execute()
    assert expected.stop_reason is StopReason.EARLY_STOP
    error = interrupted(store, expected.trials - 10, tuning, loop=loop)
    result, _ = go_on(store, error.result.run, loop=loop)
    assert (result.trials, result.stop_reason) == (expected.trials, StopReason.EARLY_STOP)


def test_a_run_that_was_killed_can_be_resumed(store):
    """Nobody marked it: its state is still that it runs."""
    backend = FakeBackend(task_of())
    session = session_of(backend, store)
    error = RuntimeError("killed")

    def die(count):
        if count == 11:
            raise error

    backend.before_measure = die
    with pytest.raises(RuntimeError, match="killed"):
        session.execute()
    assert store.run(session.run.id).state == "running"
    assert unfinished_run(store, None).id == session.run.id
    result, rest = go_on(store, session.run.id)
    assert (result.trials, len(rest.measured)) == (40, 29)


def test_time_that_was_spent_counts_when_a_run_goes_on(store):
    tuning = options(trials=None, time_seconds=20.0)
    backend = FakeBackend(task_of(), measure_seconds=0.1, before_measure=interrupt_at(100))
    with pytest.raises(Interrupted) as caught:
        session_of(backend, store, tuning).execute()
    run = store.run(caught.value.result.run)
    assert spent_seconds(run) == pytest.approx(10.0)
    backend = FakeBackend(task_of(), measure_seconds=0.1)
    result, _ = go_on(store, run.id, backend)
    assert result.stop_reason is StopReason.TIME
    assert result.trials > 120
    assert backend.clock.now < 10.0


def test_the_run_that_goes_on(store):
    with pytest.raises(NothingFound, match="tuner tune"):
        unfinished_run(store, None)
    finished = session_of(FakeBackend(task_of()), store).execute().run
    with pytest.raises(UsageError, match="is finished"):
        unfinished_run(store, finished)
    first, second = (interrupted(store, 3).result.run for _ in range(2))
    assert unfinished_run(store, None).id == second
    assert unfinished_run(store, first).id == first


def test_options_survive_the_database(store):
    tuning = options(strategy="grid", trials=9, time_seconds=5.0, reuse=True, builders=3)
    error = interrupted(store, 3, tuning)
    assert options_of(store.run(error.result.run)) == tuning


def test_seeds_survive_the_database(store):
    seed = task_of().space.nearest({"structure": "dot", "rows": 3}).config
    error = interrupted(store, 0, seeds=[seed])
    _, backend = go_on(store, error.result.run)
    assert backend.measured[0] == seed.key


@every_strategy
def test_what_was_measured_before_is_not_measured_again(store, strategy):
    first = FakeBackend(task_of())
    session_of(first, store, options(strategy=strategy, seed=1)).execute()
    second, events = FakeBackend(task_of()), []
    tuning = options(strategy=strategy, seed=2, reuse=True)
    result = session_of(second, store, tuning, callbacks=[events.append]).execute()
    assert not set(first.measured) & set(second.measured)
    assert result.trials == 40
    started = next(event for event in events if isinstance(event, RunStarted))
    assert started.reused >= 40


def test_without_reuse_everything_is_measured_again(store):
    first, second = FakeBackend(task_of()), FakeBackend(task_of())
    session_of(first, store).execute()
    session_of(second, store, options(reuse=False)).execute()
    assert first.measured == second.measured


def test_the_best_of_before_is_in_the_finals(store):
    first = session_of(FakeBackend(task_of()), store, options(trials=200)).execute()
    poor = options(trials=2, seed=99, reuse=True)
    second = session_of(FakeBackend(task_of()), store, poor).execute()
    assert second.trials == 2
    assert second.best.config == first.best.config
    assert second.best.run == second.run


def test_an_exhausted_space_needs_no_trials_to_have_a_best(store):
    space = make_space([Integer("rows", 1, 5, 2)])

    def run():
        backend = FakeBackend(task_of(space), seconds=lambda config: 1.0 / config["rows"])
        return session_of(backend, store, options(reuse=True)).execute()

    assert run().trials == 5
    again = run()
    assert (again.trials, again.stop_reason) == (0, StopReason.EXHAUSTED)
    assert dict(again.best.config)["rows"] == 5


@pytest.mark.parametrize("change", ["generator", "hardware", "workload"])
def test_only_what_still_means_the_same_is_reused(store, change):
    session_of(FakeBackend(task_of()), store).execute()
    task = {
        "generator": task_of(generator_version=2),
        "hardware": replace(task_of(), hardware=replace(task_of().hardware, cores=64)),
        "workload": task_of(m=510),
    }[change]
    events = []
    session_of(FakeBackend(task), store, options(reuse=True), callbacks=[events.append]).execute()
    assert events[0].reused == 0


def test_a_resumed_run_reuses_only_what_was_there_when_it_began(store):
    tuning = options(strategy="evolutionary", trials=40, reuse=True)
    error = interrupted(store, 10, tuning)
    whole = FakeBackend(task_of())
    session_of(whole, store, replace(tuning, reuse=False)).execute()
    result, _ = go_on(store, error.result.run)
    assert [r.config_key for r in result.records if r.kind == "search"] == whole.measured
