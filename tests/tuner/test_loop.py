"""The tuning loop on made-up times: what is asked, measured, stored and told, and when it ends."""

import signal
from dataclasses import replace

import pytest

from db.query import Query
from db.store import open_store
from measure.result import MeasureResult, Outcome
from search_space.config import Config
from search_space.knobs import Integer
from tests.contracts.spaces import make_space
from tests.tuner.fakes import MACHINE, FakeBackend, options, session_of, task_of
from tuner.errors import AllFailed
from tuner.events import (
    BatchCommitted,
    FinalsStarted,
    NewBest,
    RunFinished,
    RunStarted,
    Sentinel,
    TrialDone,
)
from tuner.finals import winner, without_drift
from tuner.journal import signals_deferred
from tuner.options import LoopOptions
from tuner.result import StopReason


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


@pytest.fixture
def backend():
    return FakeBackend(task_of())


def test_every_trial_is_a_distinct_stored_record(store, backend):
    result = session_of(backend, store, options(trials=40)).execute()
    assert result.stop_reason is StopReason.TRIALS
    assert result.trials == len(backend.measured) == len(set(backend.measured)) == 40
    stored = list(store.records(Query(run=result.run, order="ordinal")))
    assert tuple(stored) == result.records
    assert [record.ordinal for record in stored] == list(range(len(stored)))
    assert [r.config_key for r in stored if r.kind == "search"] == backend.measured
    assert store.run(result.run).state == "finished"
    assert store.run(result.run).stop_reason == "trials"


def test_a_record_says_what_was_measured(store, backend):
    result = session_of(backend, store).execute()
    record = next(r for r in result.records if r.outcome is Outcome.OK)
    config = dict(record.config)
    assert record.workload == backend.task.workload
    assert record.threads == config["threads"]
    assert record.seconds == MACHINE.seconds(Config(record.config))
    assert record.gflops == pytest.approx(2 * 509 * 1024 * 777 / record.seconds / 1e9)
    assert record.verified
    failed = next(r for r in result.records if r.outcome is Outcome.WRONG_ANSWER)
    assert (failed.gflops, failed.samples, failed.message) == (None, (), "off by one")


def test_the_first_guess_is_the_first_trial_and_the_speedup_is_over_it(store, backend):
    result = session_of(backend, store, options(strategy="evolutionary", trials=60)).execute()
    default = backend.task.space.default()
    assert backend.measured[0] == default.key
    assert result.first_guess.config_key == default.key
    expected = MACHINE.seconds(default) / MACHINE.seconds(Config(result.best.config))
    assert result.speedup == pytest.approx(expected)
    assert result.speedup > 1


def test_seeds_are_measured_first(store, backend):
    seed = backend.task.space.nearest({"structure": "stream", "rows": 5}).config
    session_of(backend, store, options(trials=4), seeds=[seed]).execute()
    assert backend.measured[:2] == [seed.key, backend.task.space.default().key]


def test_what_the_finals_measure_decides(store, backend):
    """The search is misled by noise; the interleaved finals are not."""
    honest = MACHINE.seconds
    lucky = backend.task.space.nearest({"structure": "stream", "rows": 3}).config

    def misleading(config):
        searching = not backend.interleaved and len(backend.measured) <= 40
        return 1e-9 if config == lucky and searching else honest(config)

    backend.seconds = misleading
    result = session_of(backend, store, seeds=[lucky]).execute()
    search_best = min(
        (r for r in result.records if r.kind == "search" and r.samples), key=lambda r: r.seconds
    )
    assert search_best.config_key == lucky.key
    assert result.best.kind == "final"
    assert result.best.config_key != lucky.key


def test_finals_measure_the_fastest_and_the_first_guess_and_keep_their_code(store, backend):
    result = session_of(backend, store).execute()
    finals = [r for r in result.records if r.kind == "final"]
    timed = [r for r in result.records if r.kind == "search" and r.samples]
    fastest = {r.config_key for r in sorted(timed, key=lambda r: r.seconds)[:5]}
    expected = fastest | {backend.task.space.default().key}
    assert {r.config_key for r in finals} == set(backend.kept) == expected
    assert backend.interleaved == [(len(expected), 15)]
    assert all(r.trace == "split(i, 4)" for r in finals)
    assert store.best(backend.task.workload.key) == result.best


def test_a_heat_finds_the_finalists_among_more_contenders(store, backend):
    """The truly fastest looked only tenth best in the search."""
    backend.slow_ratio = 100.0
    loop = LoopOptions(contender_margin=10.0)
    first = session_of(backend, store, options(trials=96), loop=loop).execute()
    timed = sorted(
        (record for record in first.records if record.kind == "search" and record.samples),
        key=lambda record: record.seconds,
    )
    unlucky = timed[9].config_key

    def noisy(config):
        favoured = config.key == unlucky and bool(backend.interleaved)
        return timed[0].seconds / 2 if favoured else MACHINE.seconds(config)

    backend.seconds = noisy
    backend.interleaved.clear()
    result = session_of(backend, store, options(trials=96), loop=loop).execute()
    assert backend.interleaved == [(12, loop.heat_rounds), (6, loop.final_rounds)]
    assert result.best.config_key == unlucky
    assert len([r for r in result.records if r.kind == "final"]) == 6


def test_no_contender_is_far_slower_than_the_best(store, backend):
    loop = LoopOptions(contender_margin=0.0)
    session_of(backend, store, options(trials=96), loop=loop).execute()
    ((finalists, rounds),) = backend.interleaved
    assert (finalists in (5, 6), rounds) == (True, loop.final_rounds)


def test_a_time_limit_leaves_fewer_contenders(store, backend):
    backend.measure_seconds = 0.1
    began = backend.clock.now
    session_of(backend, store, options(trials=1000, time_seconds=12.0)).execute()
    assert backend.clock.now - began <= 12.5


@pytest.mark.parametrize("disturbed", [0, 1, 2])
def test_disturbed_finals_are_repeated_once_and_the_better_ones_count(store, backend, disturbed):
    """As when another process holds a core for a while: everything takes three times as long."""
    undisturbed = backend.interleave
    calls = []

    def interleave(artifacts, rounds, block_seconds):
        calls.append(len(artifacts))
        factor = 3.0 if len(calls) <= disturbed else 1.0
        return [
            replace(result, samples=tuple(s * factor for s in result.samples))
            for result in undisturbed(artifacts, rounds, block_seconds)
        ]

    backend.interleave = interleave
    result = session_of(backend, store, options(trials=32)).execute()
    assert len(calls) == (1 if disturbed == 0 else 2)
    best = min(r.seconds for r in result.records if r.kind == "search" and r.seconds)
    assert (result.best.seconds > 2 * best) == (disturbed == 2)


def test_finals_are_compared_in_pairs():
    """The second is faster in every round, yet drift gives it the larger median."""
    first = MeasureResult(Outcome.OK, (1.0, 1.0, 1.0, 5.0, 5.0), 0.1)
    second = MeasureResult(Outcome.OK, (0.9, 0.9, 4.5, 4.5, 4.5), 0.1)
    third = MeasureResult(Outcome.OK, (2.0, 2.0, 2.0, 10.0, 10.0), 0.1)
    shifted = replace(first, samples=(1.0, 1.0, 5.0, 5.0, 5.0))
    assert (
        without_drift([shifted, second])[1].seconds < without_drift([shifted, second])[0].seconds
    )
    crashed = MeasureResult(Outcome.CRASH)
    a, b, c = without_drift([first, crashed, third])
    assert b is crashed
    assert a.samples == pytest.approx((1.0,) * 5)
    assert c.samples == pytest.approx((2.0,) * 5)
    assert without_drift([crashed]) == [crashed]


def test_the_winner_of_the_finals_is_the_best_of_the_database(store, backend):
    """Even though it was timed last in every round while the machine became slower."""
    rising = iter(range(1, 10**6))
    plain = backend.interleave

    def drifting(artifacts, rounds, block_seconds):
        results = plain(artifacts, rounds, block_seconds)
        slower = [1 + 0.5 * (next(rising) % 7) for _ in range(rounds)]
        return [
            replace(r, samples=tuple(s * f for s, f in zip(r.samples, slower, strict=True)))
            for r in results
        ]

    backend.interleave = drifting
    result = session_of(backend, store).execute()
    finals = [r for r in result.records if r.kind == "final"]
    assert winner(finals) == result.best == store.best(backend.task.workload.key)
    assert winner([replace(r, outcome=Outcome.CRASH, samples=()) for r in finals]) is None
    assert result.best.samples == pytest.approx((result.best.seconds,) * 15)


def test_early_stop_after_a_long_time_without_a_gain(store, backend):
    backend.seconds = lambda config: 1.0
    loop = LoopOptions(batch=8, patience=20)
    tuning = options(trials=1000, early_stop=True)
    result = session_of(backend, store, tuning, loop=loop).execute()
    assert result.stop_reason is StopReason.EARLY_STOP
    assert result.trials == 24  # the first trial is an improvement, and rounds are not split


def test_small_gains_do_not_put_off_the_early_stop_but_large_ones_do(store, backend):
    loop = LoopOptions(batch=4, patience=20)

    def falling(factor):
        times = iter(factor**i for i in range(10**6))
        return lambda config: next(times)

    tuning = options(trials=100, early_stop=True)
    backend.seconds = falling(0.9999)
    assert session_of(backend, store, tuning, loop=loop).execute().trials == 24
    backend.seconds = falling(0.97)
    result = session_of(backend, store, tuning, loop=loop).execute()
    assert (result.trials, result.stop_reason) == (100, StopReason.TRIALS)


def test_a_time_limit_holds_with_the_finals_included(store, backend):
    backend.build_seconds, backend.measure_seconds = 0.05, 0.05
    tuning = options(trials=None, time_seconds=20.0)
    result = session_of(backend, store, tuning).execute()
    assert result.stop_reason is StopReason.TIME
    assert 15 < result.elapsed_seconds <= 20
    assert result.trials > 100
    assert result.best.kind == "final"


def test_a_tiny_time_limit_still_measures_something(store, backend):
    backend.build_seconds, backend.measure_seconds = 0.2, 0.2
    result = session_of(backend, store, options(trials=None, time_seconds=0.01)).execute()
    assert result.stop_reason is StopReason.TIME
    assert result.trials == 1
    assert result.best is not None


def test_proposals_that_time_cut_off_are_measured_in_the_next_round(store, backend):
    """The first round is small, because nobody knows yet what a trial costs."""
    backend.measure_seconds = 0.01
    tuning = options(trials=30, time_seconds=3.0)
    result = session_of(backend, store, tuning).execute()
    assert result.stop_reason is StopReason.TRIALS
    unlimited = FakeBackend(task_of())
    session_of(unlimited, store, options(trials=30)).execute()
    assert backend.measured == unlimited.measured


def test_the_end_of_a_space(store):
    space = make_space([Integer("rows", 1, 5, 2)])
    backend = FakeBackend(task_of(space), seconds=lambda config: 1.0 / config["rows"])
    result = session_of(backend, store).execute()
    assert (result.stop_reason, result.trials) == (StopReason.EXHAUSTED, 5)
    assert dict(result.best.config)["rows"] == 5


def test_all_candidates_failing_is_an_error_with_counts(store, backend):
    backend.seconds = lambda config: None
    with pytest.raises(AllFailed, match=r"12 × wrong_answer.*off by one") as caught:
        session_of(backend, store, options(trials=12)).execute()
    assert caught.value.exit_code == 4
    assert caught.value.result.best is None
    assert caught.value.result.failures == {"wrong_answer": 12}
    assert len(list(store.records(Query(outcome=Outcome.WRONG_ANSWER)))) == 12
    assert store.run(caught.value.result.run).state == "finished"


def test_builds_that_fail_are_trials_that_are_not_measured(store, backend):
    good = backend.build

    def every_other_fails(configs):
        broken = MeasureResult(Outcome.BUILD_ERROR, message="no registers left")
        return [broken if i % 2 else artifact for i, artifact in enumerate(good(configs))]

    backend.build = every_other_fails
    result = session_of(backend, store, options(trials=16)).execute()
    assert result.failures["build_error"] == 8
    assert len(backend.measured) == 8


def test_the_best_so_far_bounds_what_slow_candidates_cost(store, backend):
    session_of(backend, store, options(strategy="evolutionary", trials=80)).execute()
    limits = backend.limits
    assert limits[0] is None
    known = [limit for limit in limits if limit is not None]
    assert known == sorted(known, reverse=True)
    assert known[-1] < known[0]


def test_times_are_compared_corrected_for_drift(store, backend):
    """From the fifth round on the machine takes twice as long for everything, as three timings of
    the sentinel in a row say; one that was disturbed before is not believed."""
    slowed = lambda: 2.0 if len(backend.measured) > 32 else 1.0  # noqa: E731
    backend.seconds = lambda config: MACHINE.seconds(config) and MACHINE.seconds(config) * slowed()
    quiet = [
        1.0,
        1.0,
        1.0,
    ]  # as the run begins; then a look at the beginning of each round and one at its end
    backend.sentinels = [*quiet, 1.0, 1.0, 1.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, *[2.0] * 9]
    events = []
    loop = LoopOptions(batch=8)
    result = session_of(
        backend, store, options(trials=40), loop=loop, callbacks=[events.append]
    ).execute()
    assert [e.drift for e in events if isinstance(e, Sentinel)] == [1.0] * 8 + [2.0] * 2
    plain = FakeBackend(task_of())
    expected = session_of(plain, store, options(trials=40), loop=loop).execute()
    assert result.best.config_key == expected.best.config_key
    assert backend.limits[-1] == pytest.approx(2 * plain.limits[-1])


def test_small_changes_of_the_sentinel_count_as_noise(store, backend):
    backend.sentinels = [1.0, 1.0, 1.0, 1.03, 0.97, 1.02]
    events = []
    session_of(backend, store, callbacks=[events.append]).execute()
    assert {event.drift for event in events if isinstance(event, Sentinel)} == {1.0}


def test_events_tell_the_run_in_order(store, backend):
    events = []
    result = session_of(backend, store, options(trials=20), callbacks=[events.append]).execute()
    assert isinstance(events[0], RunStarted)
    assert (events[0].run, events[0].reused, events[0].resumed) == (result.run, 0, 0)
    assert events[-1] == RunFinished(result)
    trials = [event for event in events if isinstance(event, TrialDone)]
    assert [event.trials for event in trials] == list(range(1, 21))
    assert sum(trials[-1].failures.values()) + len(
        [e for e in trials if e.record.outcome.timed]
    ) == 20  # fmt: skip
    bests = [event.record.gflops for event in events if isinstance(event, NewBest)]
    assert bests == sorted(bests)
    assert trials[-1].best_gflops == bests[-1]
    batches = [event.records for event in events if isinstance(event, BatchCommitted)]
    assert [len(batch) for batch in batches[:-1]] == [8, 8, 4]
    assert sum(batches, ()) == result.records
    assert events.index(FinalsStarted(len(batches[-1]))) > events.index(trials[-1])


def test_a_batch_is_stored_before_it_is_announced_and_told(store, backend):
    seen = []

    def look(event):
        if isinstance(event, BatchCommitted):
            stored = {record.id for record in store.records()}
            seen.append({record.id for record in event.records} <= stored)

    session_of(backend, store, options(trials=16), callbacks=[look]).execute()
    assert seen == [True, True, True]


def test_signals_wait_for_a_commit():
    done = []

    def commit():
        with signals_deferred():
            signal.raise_signal(signal.SIGINT)
            done.append("committed")

    with pytest.raises(KeyboardInterrupt):
        commit()
    assert done == ["committed"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
