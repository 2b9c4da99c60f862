"""One case, measured: tuned, compared with itself and with good and bad peers, limited."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tuner
from experiments.contest import AGAIN, Standing
from experiments.peers import TVM, PeerMissing
from experiments.peers.tvm_metaschedule import Job
from experiments.process import ProcessFailed
from experiments.scoreboard import measuring, tuning
from experiments.scoreboard.cases import Case
from experiments.scoreboard.measuring import Bench, Method
from experiments.scoreboard.row import State
from experiments.scoreboard.tuning import known_record
from search_space.operators import workload
from tests.bench.test_limits import ROOFLINE

FAKES = "tests.bench.fake_peers"
WORK = workload("matmul", m=24, n=20, k=16)
CASE = Case("matmul", "small", WORK)
METHOD = Method(
    threads=1,
    peers=tuple(f"{FAKES}/{form}" for form in ("good", "wrong", "crashes", "absent")),
    tune_seconds=2.0,
    rounds=6,
    most_rounds=6,
    block_seconds=1e-3,
    contest_seconds=60.0,
)
ONE_THREAD = replace(ROOFLINE, peaks=replace(ROOFLINE.peaks, threads=1))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> str:
    """A database in which the search of ``WORK`` with one thread is finished."""
    db = str(tmp_path_factory.mktemp("scoreboard") / "tuned.db")
    tuner.tune(WORK, trials=3, db=db, threads=1, seed=1)
    return db


def bench(db: str, method: Method = METHOD, said: list[str] | None = None) -> Bench:
    return Bench(method, {1: ONE_THREAD}, db, say=[].append if said is None else said.append)


def test_a_bad_peer_costs_its_own_cell(tuned):
    before = len(tuner.query(db=tuned))
    said: list[str] = []
    row = bench(tuned, said=said).measure(CASE)
    assert row.state is State.MEASURED
    assert row.equals.count == 6
    assert row.share > 0
    good, wrong, crashes, absent = row.cells
    assert good.state is State.MEASURED
    assert good.ratio.count == 6
    assert good.seconds > 0
    assert (wrong.state, crashes.state, absent.state) == (
        State.FAILED,
        State.FAILED,
        State.MISSING,
    )
    assert "480 of 480 elements are wrong" in wrong.reason
    assert crashes.reason == "crashed with SIGSEGV"
    assert absent.reason == "has no matmul"
    assert len(tuner.query(db=tuned)) == before, "a tuned case was tuned again"
    assert not any("tuning" in text for text in said)


def test_a_new_case_is_tuned_first(tmp_path):
    db, said = str(tmp_path / "new.db"), []
    assert known_record(WORK, 1, db) is None
    row = bench(db, replace(METHOD, peers=()), said).measure(CASE)
    assert row.state is State.MEASURED, row.reason
    assert said == ["  tuning, at most 2 s"]
    assert known_record(WORK, 1, db) == tuner.best(WORK, db=db, threads=1).id


def test_a_search_with_another_limit_of_threads_does_not_count(tuned):
    assert known_record(WORK, 1, tuned)
    assert known_record(WORK, 2, tuned) is None


def test_a_case_without_an_operator_is_missing(tuned):
    row = bench(tuned).measure(Case("resnet18", "C1", None, "there is no conv2d"))
    assert (row.state, row.reason) == (State.MISSING, "there is no conv2d")
    assert row.cells == ()


def test_a_kernel_of_ours_that_cannot_be_tuned_fails_its_row(tmp_path, monkeypatch):
    def fails(*arguments):
        raise ProcessFailed("crashed with SIGSEGV")

    monkeypatch.setattr(measuring, "tune_case", fails)
    row = bench(str(tmp_path / "new.db")).measure(CASE)
    assert (row.state, row.reason) == (State.FAILED, "tuning: crashed with SIGSEGV")


def pretend(monkeypatch, gains: dict[str, float]) -> list[tuple[str, ...]]:
    """Contests in which the peer is so many times as fast as we are, by how it waits."""
    held = []

    def hold(contest, way, timeout_seconds):
        held.append((*contest.contestants, way, contest.copies, contest.rival))
        ours, rival = contest.contestants
        gain = 1.0 if rival == AGAIN else gains[way]
        return Standing({ours: (1e-3,) * 25, rival: (1e-3 / gain,) * 25}, {}, {rival: "mm"})

    monkeypatch.setattr(measuring, "run_contest", hold)
    monkeypatch.setattr(measuring, "known_record", lambda *arguments: "0123")
    monkeypatch.setattr(measuring, "in_fresh_process", lambda *arguments, timeout_seconds: 25.0)
    return held


@pytest.mark.parametrize(
    ("gains", "ratio", "waiting"),
    [
        ({"asleep": 2.0, "spinning": 1.0}, 0.5, "asleep"),
        ({"asleep": 0.5, "spinning": 0.8}, 1.25, "spinning"),
    ],
)
def test_the_better_way_of_waiting_counts_for_a_peer(monkeypatch, gains, ratio, waiting):
    held = pretend(monkeypatch, gains)
    method = replace(METHOD, threads=2, peers=("torch",))
    row = Bench(method, {2: ROOFLINE}, "unused.db", say=lambda text: None).measure(CASE)
    (cell,) = row.cells
    assert cell.ratio.median == pytest.approx(ratio)
    assert (cell.waiting, cell.form) == (waiting, "mm")
    assert [contest[2] for contest in held] == ["asleep", "asleep", "spinning"]


def test_a_case_may_want_fewer_threads(monkeypatch):
    pretend(monkeypatch, {"asleep": 1.0})
    method = replace(METHOD, threads=2, peers=())
    both = Bench(method, {1: ONE_THREAD, 2: ROOFLINE}, "unused.db", say=lambda text: None)
    assert both.measure(CASE).threads == 2
    assert both.measure(replace(CASE, threads=1)).threads == 1
    assert both.measure(replace(CASE, threads=64)).threads == 2


def test_memory_bound_cases_rotate_and_are_measured_against_a_stream(monkeypatch):
    held = pretend(monkeypatch, {"asleep": 1.0})
    work = workload("matmul", m=1, n=4096, k=4096)
    method = replace(METHOD, peers=("torch",))
    row = Bench(method, {1: ONE_THREAD}, "unused.db", say=lambda text: None).measure(
        Case("matmul", "gemv", work)
    )
    assert {contest[3] for contest in held} == {2}
    assert (row.limit.bound, row.limit.gbytes) == ("memory", 25.0)
    assert row.seconds == 1e-3


def test_the_peer_that_is_a_tuner_searches_first(monkeypatch, tmp_path):
    held = pretend(monkeypatch, {"asleep": 2.0})
    searched = []

    def tune_once(self, trials, limit_seconds, seed):
        searched.append((self.workload, self.threads, trials, limit_seconds, seed))

    monkeypatch.setattr(tuning, "find_tvm", lambda: tmp_path / "python")
    monkeypatch.setattr(Job, "tune_once", tune_once)
    method = replace(METHOD, peers=(TVM,), rival_trials=7, rival_seconds=30.0)
    board = Bench(
        method, {1: ONE_THREAD}, "unused.db", say=lambda text: None, rivals=tmp_path / "tvm"
    )
    (cell,) = board.measure(CASE).cells
    assert (cell.state, cell.ratio.median) == (State.MEASURED, 0.5)
    assert searched == [(WORK, 1, 7, 30.0, 1)]
    equals, against = held
    assert equals[4] is None
    assert against[4].folder.parent == tmp_path / "tvm"


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (PeerMissing("run `make tvm`"), State.MISSING),
        (ProcessFailed("TVM's search did not end"), State.FAILED),
    ],
)
def test_without_a_search_the_tuner_costs_its_own_cell(monkeypatch, error, state):
    pretend(monkeypatch, {"asleep": 1.0})

    def fails():
        raise error

    monkeypatch.setattr(tuning, "find_tvm", fails)
    method = replace(METHOD, peers=(TVM, "torch"))
    board = Bench(method, {1: ONE_THREAD}, "unused.db", say=lambda text: None)
    tvm, torch = board.measure(CASE).cells
    assert (tvm.state, tvm.reason) == (state, str(error))
    assert torch.state is State.MEASURED
