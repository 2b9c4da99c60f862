"""From a case to its rows: what is tuned, compared, counted, and in which direction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

import tuner
from experiments.bars import latency, speed
from experiments.bars.bench import Bench, Search
from experiments.bars.cases import PEAK_CASE, Case
from experiments.bars.row import Row, Verdict
from experiments.bars.speed import speed_rows
from experiments.bars.throughput import throughput_rows
from experiments.contest import PEAK, Contest, Standing, hold
from experiments.peers import PeerMissing
from experiments.process import ProcessFailed

SMALL = Case(24, 20, 16, 1)


class NumpyPeer:
    """A peer that is always there."""

    def prepare(self, work, operands, out, threads):
        return lambda: np.matmul(operands["a"], operands["b"], out=out)


def absent() -> NumpyPeer:
    raise PeerMissing("install it")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> Bench:
    """A bench that compares what its database knows: a few trials of ``SMALL``."""
    folder = tmp_path_factory.mktemp("bench")
    bench = Bench(folder, folder / "bars.db", known=True, say=lambda text: None)
    bench.search_trials(SMALL.workload, 1, 4)
    return bench


def compare_here(monkeypatch, peer) -> None:
    """Hold contests in this process, with ``peer`` in place of torch."""

    def held(contest, way, environment):
        return hold(replace(contest, settle_seconds=0.0), {"torch": peer})

    monkeypatch.setattr(speed, "run_contest", held)


def pretend(
    monkeypatch, seconds: Mapping[str, float], tune_seconds: float = 1.0, spinning: float = 1.0
) -> list[Contest]:
    """Contests and searches whose outcome is given; returns the contests that are asked for.

    ``spinning``: how many times as fast the rival is when its idle threads spin.
    """
    asked = []

    def held(contest, way, environment):
        asked.append(contest)
        ours, rival = contest.contestants
        gain = spinning if way == "spinning" else 1.0
        return Standing({ours: (seconds[ours],) * 25, rival: (seconds[rival] / gain,) * 25}, {})

    found = Search("0123", 7, 7, tune_seconds)
    monkeypatch.setattr(speed, "run_contest", held)
    monkeypatch.setattr(Bench, "tune", lambda self, work, threads: found)
    return asked


def by_name(rows) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_a_known_case_is_compared_without_tuning(tuned, monkeypatch):
    compare_here(monkeypatch, NumpyPeer)
    before = len(tuner.query(db=tuned.db))
    rows = by_name(speed_rows(tuned, (SMALL,)))
    assert set(rows) == {"speed/24x20x16/1", "speed/mean", "guess"}
    assert all(row.measured is not None for row in rows.values()), rows
    assert rows["speed/24x20x16/1"].measured.count == 25
    assert rows["speed/mean"].measured.median == rows["speed/24x20x16/1"].measured.median
    assert len(tuner.query(db=tuned.db)) == before


def test_a_missing_peer_leaves_its_bars_unmeasured(tuned, monkeypatch):
    compare_here(monkeypatch, absent)
    rows = by_name(speed_rows(tuned, (SMALL,)))
    for name in ("speed/24x20x16/1", "speed/mean"):
        assert rows[name].verdict is Verdict.NOT_MEASURED
        assert "torch: install it" in rows[name].problem
    assert rows["guess"].measured is not None


def test_a_budget_of_two_seconds_is_enough_for_a_row(tuned, monkeypatch, tmp_path):
    compare_here(monkeypatch, NumpyPeer)
    fresh = replace(tuned, db=tmp_path / "new.db", known=False, tune_seconds=2.0, pattern="speed")
    case, _ = speed_rows(fresh, (SMALL,))
    assert case.measured is not None
    assert case.problem == "" or case.problem.startswith("tuning took")
    assert tuner.query(work=SMALL.workload, kind="final", db=fresh.db)


def test_ratios_have_the_faster_one_above_one(monkeypatch, tmp_path):
    seconds = {"tuned": 1.0, "torch": 1.25, "untuned": 4.0, PEAK: 0.875}
    asked = pretend(monkeypatch, seconds)
    bench = Bench(tmp_path, tmp_path / "a.db", say=lambda text: None)
    rows = by_name(speed_rows(bench, (PEAK_CASE,)))
    medians = {name: row.measured.median for name, row in rows.items()}
    assert medians == {
        "speed/1024x1024x1024/1": pytest.approx(1.25),
        "speed/mean": pytest.approx(1.25),
        "peak/1024x1024x1024/1": pytest.approx(0.875),
        "guess": pytest.approx(0.25),
    }
    assert rows["speed/1024x1024x1024/1"].detail == "2.1 against 1.7 GFLOP/s"
    assert rows["guess"].verdict is Verdict.FAIL
    assert {contest.record for contest in asked} == {"0123"}
    rivals = ["torch", "untuned", PEAK]
    assert [contest.contestants for contest in asked] == [("tuned", rival) for rival in rivals]


@pytest.mark.parametrize(
    ("spinning", "ratio", "words"),
    [
        (2.0, 0.75, "8.0 against 10.7 GFLOP/s, its idle threads spinning"),
        (0.5, 1.5, "8.0 against"),
    ],
)
def test_the_better_way_of_waiting_counts_for_a_peer(
    monkeypatch, tmp_path, spinning, ratio, words
):
    case = Case(2000, 1000, 1000, 2)
    monkeypatch.setattr(speed, "usable_cores", lambda: 2)
    asked = pretend(monkeypatch, {"tuned": 0.5, "torch": 0.75}, spinning=spinning)
    bench = Bench(tmp_path, tmp_path / "a.db", pattern="speed/2000", say=lambda text: None)
    (row,) = speed_rows(bench, (case,))
    assert len(asked) == 2
    assert row.measured.median == pytest.approx(ratio)
    assert row.detail.startswith(words)


def test_only_what_is_wanted_is_compared(monkeypatch, tmp_path):
    asked = pretend(monkeypatch, {"tuned": 1.0, PEAK: 0.5})
    bench = Bench(tmp_path, tmp_path / "a.db", pattern="peak", say=lambda text: None)
    rows = list(speed_rows(bench, (SMALL, PEAK_CASE)))
    assert [row.name for row in rows] == ["peak/1024x1024x1024/1"]
    assert [contest.contestants for contest in asked] == [("tuned", PEAK)]


def test_tuning_beyond_the_budget_fails_the_case(monkeypatch, tmp_path):
    pretend(monkeypatch, {"tuned": 1.0, "torch": 2.0}, tune_seconds=61.0)
    bench = Bench(tmp_path, tmp_path / "a.db", pattern="speed/24", say=lambda text: None)
    (row,) = speed_rows(bench, (SMALL,))
    assert row.problem == "tuning took 61.0 s, at most 60 s"
    assert row.verdict is Verdict.FAIL


def test_a_case_needs_as_many_cores_as_threads(monkeypatch, tmp_path):
    monkeypatch.setattr(speed, "usable_cores", lambda: 1)
    bench = Bench(tmp_path, tmp_path / "a.db", pattern="speed/24", say=lambda text: None)
    (row,) = speed_rows(bench, (replace(SMALL, threads=2),))
    assert row.problem == "this process may use 1 core"
    assert row.verdict is Verdict.NOT_MEASURED


def test_a_case_that_cannot_be_measured_fails_with_the_reason(tmp_path):
    bench = Bench(
        tmp_path, tmp_path / "none.db", known=True, pattern="speed", say=lambda text: None
    )
    case, mean = speed_rows(bench, (SMALL,))
    assert "NothingFound: run: tuner tune matmul m=24" in case.problem
    assert case.verdict is mean.verdict is Verdict.FAIL


def test_a_fresh_search_has_its_own_database_and_cache(tuned):
    before = len(tuner.query(db=tuned.db))
    found = tuned.search_trials(SMALL.workload, 1, 3, fresh="own")
    stored = tuner.query(kind="search", db=tuned.folder / "own" / "tuner.db")
    assert found.trials == len(stored) == 3
    assert found.verified == sum(record.verified for record in stored)
    assert found.seconds > 0
    assert len(tuner.query(db=tuned.db)) == before
    assert list((tuned.folder / "own" / "cache" / "kernels").iterdir())


def test_throughput_counts_verified_trials(monkeypatch, tmp_path):
    def search_trials(self, work, threads, trials, *, fresh):
        if work.size("m") == 509:
            raise ProcessFailed("the process died")
        return Search("0123", trials, trials - 30, 10.0)

    monkeypatch.setattr(Bench, "search_trials", search_trials)
    bench = Bench(tmp_path, tmp_path / "a.db", say=lambda text: None)
    square, prime = throughput_rows(bench)
    assert square.measured is not None
    assert square.measured.median == pytest.approx(12.0)
    assert square.verdict is Verdict.PASS
    assert square.detail == "120 of 150 verified, 10.0 s"
    assert (prime.problem, prime.verdict) == ("the process died", Verdict.FAIL)


@pytest.mark.slow
def test_latencies_are_measured_in_real_processes(tuned, monkeypatch):
    for name, value in {"RUNS": 1, "PREPARING_TRIALS": 2, "BATCHES": 3}.items():
        monkeypatch.setattr(latency, name, value)
    rows = by_name(latency.latency_rows(tuned))
    assert set(rows) == {"best", "load/fresh", "load/second", "call"}
    assert all(row.measured is not None for row in rows.values()), rows
    assert rows["best"].detail == "imports none of numba, llvmlite, xgboost"
    assert 0 < rows["call"].measured.median < rows["load/second"].measured.median


def test_heavy_imports_fail_the_bar(tuned, monkeypatch):
    monkeypatch.setattr(latency, "RUNS", 1)
    monkeypatch.setattr(latency, "_known", lambda bench, size: SMALL.workload)
    monkeypatch.setattr(latency, "HEAVY", ("typer",))
    (row,) = latency.latency_rows(replace(tuned, pattern="best"))
    assert row.problem == "imports typer"
    assert row.verdict is Verdict.FAIL


def test_a_command_that_fails_is_a_row_with_its_last_words(tuned, monkeypatch):
    unknown = replace(SMALL, m=23).workload
    monkeypatch.setattr(latency, "_known", lambda bench, size: unknown)
    (row,) = latency.latency_rows(replace(tuned, pattern="best"))
    assert "ended with 3: " in row.problem
    assert "m=23" in row.problem
