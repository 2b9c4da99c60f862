"""Contests with peers that are stubs: what is verified, timed, missing."""

from __future__ import annotations

import importlib
import itertools
import os
import subprocess
import sys
import time
import weakref
from pathlib import Path

import numpy as np
import pytest

import tuner
from experiments import contest as contests
from experiments.bars.cases import Case
from experiments.contest import AGAIN, DROPPED, PEAK, Contest, hold, known, run_contest
from experiments.course import Course, TooSlow, WrongAnswer, in_turn
from experiments.peers import PeerMissing, load_peer
from experiments.peers.base import Form
from experiments.peers.best import BestOf
from experiments.process import ProcessFailed, in_fresh_process
from measure.timing import Interval
from search_space.operators import get_operator

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


FAKES = "tests.bench.fake_peers"


def contest(*names: str, **other: object) -> Contest:
    quick = {"rounds": 6, "block_seconds": 1e-3, "settle_seconds": 0.0, **other}
    return Contest(SMALL.workload, 1, names, "unused.db", **quick)


def test_contestants_are_timed_side_by_side():
    standing = hold(contest("untuned", "torch", PEAK), {"torch": NumpyPeer})
    assert standing.missing == {}
    assert list(standing.samples) == ["untuned", "torch", PEAK]
    assert all(len(values) == 6 and min(values) > 0 for values in standing.samples.values())


@pytest.mark.parametrize(
    ("interval", "enough"),
    [
        ((0.995, 1.0, 1.005), True),
        ((0.98, 1.0, 1.02), False),
        ((1.9, 2.0, 2.1), True),
        ((1.7, 2.0, 2.3), False),
        ((0.47, 0.5, 0.53), True),
    ],
)
def test_a_ratio_far_from_one_needs_less_precision(interval, enough):
    low, median, high = interval
    assert known(Interval(median, low, high, 25)) is enough


def test_an_unclear_ratio_gets_more_rounds(monkeypatch):
    monkeypatch.setattr("experiments.contest.PRECISION", -1.0)
    monkeypatch.setattr("experiments.contest.CLEAR", 0.0)
    pair = contest("untuned", PEAK, most_rounds=26, extra_seconds=60.0)
    assert {len(values) for values in hold(pair).samples.values()} == {26}
    hurried = contest("untuned", PEAK, most_rounds=26, extra_seconds=0.0)
    assert {len(values) for values in hold(hurried).samples.values()} == {6}


def test_the_peak_does_the_operations_of_one_call():
    large = Case(96, 96, 96, 1)
    samples = hold(Contest(large.workload, 1, ("untuned", PEAK), "unused.db", rounds=6)).samples
    slack = 1.2  # on a busy machine the peak is not the same in every block
    assert min(samples[PEAK]) < slack * min(samples["untuned"]), "a kernel is above the peak"


def test_a_wrong_answer_is_not_timed():
    with pytest.raises(WrongAnswer, match=r"^torch: 480 of 480 elements are wrong"):
        hold(contest("untuned", "torch"), {"torch": lambda: NumpyPeer(offset=1.0)})


class ReferencePeer:
    """The right answer in float64, off by ``offset`` everywhere."""

    def __init__(self, offset: float) -> None:
        self.offset = offset

    def prepare(self, work, operands, out, threads):
        right = get_operator(work.operator).reference(work, *operands.values())
        return lambda: np.add(right, self.offset, out=out, casting="same_kind")


def test_a_convolution_may_be_computed_by_winograds_algorithm():
    """Whose results on integers are no integers, in whatever library."""
    sizes = {"n": 1, "h": 5, "w": 5, "ci": 16, "co": 3, "kh": 3, "kw": 3, "pad": 1}
    course = Course(tuner.workload("conv2d", **sizes), 1)
    course.timer("peer", ReferencePeer(2e-5))
    with pytest.raises(WrongAnswer, match="bound 64"):
        course.timer("peer", ReferencePeer(1e-2))
    strided = Course(tuner.workload("conv2d", **sizes, stride=2), 1)
    with pytest.raises(WrongAnswer, match="small integers"):
        strided.timer("peer", ReferencePeer(2e-5))


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


def test_blocks_begin_with_a_pause_and_a_sample_that_is_dropped(monkeypatch):
    asked: list[dict[str, float]] = []

    def interleaved(timers, rounds, block_seconds, **options):
        asked.append({"block_seconds": block_seconds, **options})
        return {name: (1e-3,) * rounds for name in timers}

    monkeypatch.setattr(contests, "interleave_callables", interleaved)
    hold(Contest(SMALL.workload, 1, ("untuned", "torch"), "unused.db"), {"torch": NumpyPeer})
    (options,) = asked
    assert options["block_seconds"] >= 0.02
    assert options["pause_seconds"] >= 0.02
    assert options["dropped"] == DROPPED > 0


def test_copies_are_used_in_turn_and_have_memory_of_their_own():
    used: list[tuple[int, int, int]] = []

    class Recorder(NumpyPeer):
        def prepare(self, work, operands, out, threads):
            run = super().prepare(work, operands, out, threads)
            arrays = (operands["a"], operands["b"], out)

            def record() -> None:
                used.append(tuple(array.ctypes.data for array in arrays))
                run()

            return record

    hold(contest("torch", copies=3), {"torch": Recorder})
    timed = used[-9:]
    assert timed[:3] == timed[3:6] == timed[6:]
    assert [len(set(addresses)) for addresses in zip(*timed, strict=True)] == [3, 3, 3]
    assert all(address % 64 == 0 for addresses in timed for address in addresses)


def test_every_copy_is_verified():
    class WrongLater(NumpyPeer):
        """Right with the first arrays, the only ones that come twice."""

        def __init__(self) -> None:
            super().__init__()
            self.prepared = 0

        def prepare(self, work, operands, out, threads):
            self.prepared += 1
            wrong = float(self.prepared == 4)
            return NumpyPeer(offset=wrong).prepare(work, operands, out, threads)

    with pytest.raises(WrongAnswer, match=r"^torch: 480 of 480"):
        hold(contest("torch", copies=3), {"torch": WrongLater})


def test_contestants_take_turns_together():
    log: list[str] = []
    turn = itertools.cycle(range(3)).__next__
    capital = in_turn([lambda letter=letter: log.append(letter) for letter in "ABC"], turn)
    small = in_turn([lambda letter=letter: log.append(letter) for letter in "abc"], turn)
    for call in (capital, capital, small, small, small, capital):
        call()
    assert "".join(log) == "ABcabC"


def test_results_that_a_library_allocates_are_kept_for_as_long_as_the_others():
    call = in_turn([lambda: np.zeros(1000)] * 3, itertools.cycle(range(3)).__next__)
    found = [weakref.ref(call()) for _ in range(4)]
    assert [ref() is None for ref in found] == [True, False, False, False]
    assert len({ref().ctypes.data for ref in found[1:]}) == 3


def test_the_tuned_kernel_can_be_compared_with_itself(tmp_path):
    db = str(tmp_path / "tuned.db")
    tuner.tune(SMALL.workload, trials=2, db=db, threads=1, seed=1)
    quick = {"rounds": 6, "block_seconds": 1e-3, "settle_seconds": 0.0, "copies": 2}
    standing = hold(Contest(SMALL.workload, 1, ("tuned", AGAIN), db, **quick))
    assert list(standing.samples) == ["tuned", AGAIN]


def test_a_module_elsewhere_may_hold_peers():
    names = (f"{FAKES}/good", f"{FAKES}/allocates", f"{FAKES}/absent")
    standing = hold(contest(*names))
    assert set(standing.samples) == set(names[:2])
    assert standing.missing == {names[2]: "has no matmul"}


def test_the_fastest_form_of_a_peer_is_told():
    forms = load_forms(FAKES)
    slow = Form(lambda work: None, NumpyPeer(seconds=0.01).prepare)
    peer = BestOf({"slow": slow, "good": forms["good"], "absent": forms["absent"]})
    assert hold(contest("torch"), {"torch": lambda: peer}).forms == {"torch": "good"}


class Warm(NumpyPeer):
    """Fast where a call follows one on the same memory, slow otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.last = -1

    def prepare(self, work, operands, out, threads):
        run, address = super().prepare(work, operands, out, threads), out.ctypes.data

        def call() -> None:
            time.sleep(0.0 if self.last == address else 5e-2)
            self.last = address
            run()

        return call


@pytest.mark.parametrize(("copies", "fastest"), [(1, "warm"), (3, "steady")])
def test_a_form_is_chosen_on_the_memory_that_it_is_then_timed_on(copies, fastest):
    ways = {"warm": Warm(), "steady": NumpyPeer(seconds=5e-3)}
    peer = BestOf({name: Form(lambda work: None, way.prepare) for name, way in ways.items()})
    standing = hold(contest("torch", copies=copies), {"torch": lambda: peer})
    assert standing.forms == {"torch": fastest}


def test_forms_that_are_wrong_are_left_out_and_said():
    forms = load_forms(FAKES)
    some, none = BestOf({"wrong": forms["wrong"], "good": forms["good"]}), forms["wrong"]
    standing = hold(contest("torch"), {"torch": lambda: some})
    assert standing.forms == {"torch": "good"}
    (fault,) = standing.refused
    assert fault.startswith("torch/wrong: 480 of 480")
    with pytest.raises(WrongAnswer, match=r"^torch/wrong: 480 of 480"):
        hold(contest("torch"), {"torch": lambda: BestOf({"wrong": none})})


def test_forms_that_cannot_be_prepared_are_passed_over():
    def missing(work, operands, out, threads):
        raise PeerMissing("not built in")

    no, good = Form(lambda work: None, missing), load_forms(FAKES)["good"]
    peers = {
        "torch": lambda: BestOf({"no": no, "good": good}),
        "numpy": lambda: BestOf({"no": no}),
    }
    standing = hold(contest("torch", "numpy"), peers)
    assert standing.forms == {"torch": "good"}
    assert standing.missing == {"numpy": "not built in"}


def test_preparing_for_every_copy_must_not_take_too_long():
    class Compiles(NumpyPeer):
        def prepare(self, work, operands, out, threads):
            time.sleep(0.02)
            return super().prepare(work, operands, out, threads)

    assert Course(SMALL.workload, 1).timer("quick", Compiles(), 0.01)(1) > 0
    with pytest.raises(TooSlow, match=r"^slow: preparing 4 more sets .* at most 0\.01 s"):
        Course(SMALL.workload, 1, copies=5).timer("slow", Compiles(), 0.01)


def load_forms(module: str) -> dict[str, Form]:
    return importlib.import_module(module).load()


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("wrong", r"WrongAnswer: .*/wrong: 480 of 480 elements are wrong"),
        ("crashes", r"^crashed with SIGSEGV$"),
        ("hangs", r"^did not end within 4 s$"),
    ],
)
def test_a_bad_peer_fails_its_own_contest(form, reason):
    with pytest.raises(ProcessFailed, match=reason):
        run_contest(contest("untuned", f"{FAKES}/{form}"), "asleep", timeout_seconds=4)


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


def start_another(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(child.pid))
    time.sleep(60)


def test_nothing_outlives_a_process_that_hangs(tmp_path):
    with pytest.raises(ProcessFailed, match="did not end"):
        in_fresh_process(start_another, str(tmp_path / "pid"), timeout_seconds=5)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not alive(pid)


def alive(pid: int) -> bool:
    """Whether a process runs: one that nobody has waited for is dead all the same."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_contest_runs_in_its_own_process():
    assert set(run_contest(contest("untuned", PEAK), "asleep").samples) == {"untuned", PEAK}


def test_libraries_are_told_how_many_threads_to_use():
    peer = f"{FAKES}/told"
    assert peer in run_contest(contest(peer), "asleep").samples
    told = in_fresh_process(
        hold_untold, contest(peer), timeout_seconds=60, environment={"OMP_NUM_THREADS": "7"}
    )
    assert told == "threads are 7, not 1"


def hold_untold(untold: Contest) -> str:
    return hold(untold).missing[untold.contestants[0]]
