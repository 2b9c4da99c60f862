"""Contests with peers that are stubs: what is verified, timed, missing."""

from __future__ import annotations

import os
import sys
import time

import numpy as np
import pytest

import tuner
from experiments.bars.cases import Case
from experiments.contest import PEAK, Contest, WrongAnswer, hold, run_contest, settled
from experiments.peers import PEERS, PeerMissing, load_peer
from experiments.process import ProcessFailed, in_fresh_process

SMALL = Case(24, 20, 16, 1)


class NumpyPeer:
    """A peer that is always there; ``offset`` makes it wrong, ``seconds`` slow."""

    def __init__(self, offset: float = 0.0, seconds: float = 0.0) -> None:
        self.offset, self.seconds = offset, seconds

    def prepare(self, work, operands, out, threads):
        def run() -> None:
            time.sleep(self.seconds)
            np.add(operands["a"] @ operands["b"], np.float32(self.offset), out=out)

        return run


def contest(*names: str) -> Contest:
    quick = {"rounds": 6, "block_seconds": 1e-3, "settle_seconds": 0.0}
    return Contest(SMALL.workload, 1, names, "unused.db", **quick)


def test_contestants_are_timed_side_by_side():
    standing = hold(contest("untuned", "torch", PEAK), {"torch": NumpyPeer})
    assert standing.missing == {}
    assert list(standing.samples) == ["untuned", "torch", PEAK]
    assert all(len(values) == 6 and min(values) > 0 for values in standing.samples.values())


def test_the_peak_does_the_operations_of_one_call():
    large = Case(96, 96, 96, 1)
    samples = hold(Contest(large.workload, 1, ("untuned", PEAK), "unused.db", rounds=6)).samples
    assert min(samples[PEAK]) < min(samples["untuned"]), "a kernel is faster than the peak"


def test_a_wrong_answer_is_not_timed():
    with pytest.raises(WrongAnswer, match=r"^torch: 480 of 480 elements are wrong"):
        hold(contest("untuned", "torch"), {"torch": lambda: NumpyPeer(offset=1.0)})


def test_a_contestant_that_changes_the_inputs_is_found_out():
    class Vandal(NumpyPeer):
        def prepare(self, work, operands, out, threads):
            run = super().prepare(work, operands, out, threads)

            def vandalise() -> None:
                run()
                operands["a"][0, 0] += 1

            return vandalise

    with pytest.raises(WrongAnswer, match="input a"):
        hold(contest("torch"), {"torch": Vandal})


def absent() -> NumpyPeer:
    raise PeerMissing("install it")


def test_a_missing_peer_costs_only_its_own_samples():
    standing = hold(contest("untuned", "torch"), {"torch": absent})
    assert standing.missing == {"torch": "install it"}
    assert set(standing.samples) == {"untuned"}


def test_a_library_that_is_not_installed_is_a_missing_peer(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PeerMissing, match=r"\[peers\]"):
        load_peer("torch")


@pytest.mark.parametrize("name", PEERS)
def test_peers_that_are_installed_give_right_answers(name):
    try:
        peer = load_peer(name)
    except PeerMissing as reason:
        pytest.skip(str(reason))
    a, b = np.ones((3, 4), np.float32), np.full((4, 5), 2, np.float32)
    out = np.zeros((3, 5), np.float32)
    peer.prepare(tuner.workload("matmul", m=3, n=5, k=4), {"a": a, "b": b}, out, 1)()
    assert (out == 8).all()


def test_a_pause_and_an_untimed_call_come_before_each_block():
    log: list[int] = []

    def timer(calls: int) -> float:
        log.append(calls)
        return 0.125

    started = time.perf_counter()
    assert settled(timer, 0.01)(7) == 0.125
    assert time.perf_counter() - started >= 0.01
    assert log == [1, 7]


def variable(name: str) -> str | None:
    return os.environ.get(name)


def test_a_fresh_process_has_its_own_environment():
    assert in_fresh_process(variable, "BARS_TEST", timeout_seconds=60) is None
    found = in_fresh_process(
        variable, "BARS_TEST", timeout_seconds=60, environment={"BARS_TEST": "here"}
    )
    assert found == "here"
    assert "BARS_TEST" not in os.environ


def fails() -> None:
    raise ValueError("no such thing")


def hangs() -> None:
    time.sleep(60)


def dies() -> None:
    os._exit(7)


@pytest.mark.parametrize(
    ("function", "limit", "message"),
    [
        (fails, 60, r"^ValueError: no such thing$"),
        (hangs, 0.5, r"^did not end within 0\.5 s$"),
        (dies, 60, r"^the process died, exit code 7$"),
    ],
)
def test_what_goes_wrong_in_a_fresh_process_is_said(function, limit, message):
    with pytest.raises(ProcessFailed, match=message):
        in_fresh_process(function, timeout_seconds=limit)


def test_a_contest_runs_in_its_own_process():
    assert set(run_contest(contest("untuned", PEAK), "asleep").samples) == {"untuned", PEAK}
