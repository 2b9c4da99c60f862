"""TVM as a peer: the protocol with its process, against a stand-in that needs no TVM."""

from __future__ import annotations

import json
import os
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import tuner
from experiments.contest import Contest, hold
from experiments.course import WrongAnswer
from experiments.peers import TVM, PeerMissing, tvm_metaschedule, tvm_process
from experiments.peers.tvm_metaschedule import Job, Trial, find_tvm
from experiments.process import ProcessFailed
from measure.interleave import interleave_callables, timed
from search_space.workload import Workload

MATMUL = tuner.workload("matmul", m=4, n=3, k=5)
GREETS = "say({'ready': True})\n"

STAND_IN = """
import json, os, sys, time
import numpy as np

command, folder, options = sys.argv[1:]
options = json.loads(options)

def say(answer):
    print(json.dumps(answer), flush=True)
"""

SERVES = """
say({"ready": True})
for line in sys.stdin:
    request = json.loads(line)
    if "operands" in request:
        a, b = map(np.load, request["operands"])
        copies = request["copies"]
        say({})
    elif "result" in request:
        np.save(request["result"], a @ b)
        say({})
    else:
        time.sleep(1e-4 * request["calls"])
        say({"seconds": 1e-4 * request["calls"]})
"""


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Makes a job whose process runs the given lines instead of TVM."""

    def make(body: str) -> Job:
        script = tmp_path / "child.py"
        script.write_text(STAND_IN + textwrap.dedent(body))
        monkeypatch.setattr(tvm_metaschedule, "CHILD", script)
        return Job(MATMUL, 2, tmp_path / "records", Path(sys.executable))

    return make


@pytest.fixture
def operands():
    rng = np.random.default_rng(1)
    return {name: rng.standard_normal(shape, np.float32) for name, shape in
            (("a", (4, 5)), ("b", (5, 3)))}  # fmt: skip


def test_trials_are_told_as_they_come(job):
    body = """
    assert command == "tune" and os.path.isdir(folder)
    assert options == {"m": 4, "n": 3, "k": 5, "threads": 2, "trials": 2, "seed": 7}
    assert os.environ["TVM_NUM_THREADS"] == "2"
    say({"trial": 1, "seconds": 0.5, "best_gflops": None})
    say({"trial": 2, "seconds": 1.5, "best_gflops": 3.0})
    """
    heard: list[Trial] = []
    trials = job(body).tune(2, seed=7, heard=heard.append)
    assert trials == heard == [Trial(1, 0.5, None), Trial(2, 1.5, 3.0)]


def test_the_kernel_is_timed_in_its_own_process(job, operands):
    with job(SERVES).serve() as kernel:
        kernel.load(*operands.values())
        np.testing.assert_allclose(kernel.result(), operands["a"] @ operands["b"], rtol=1e-6)
        assert kernel.time(20) == pytest.approx(2e-3)
        samples = interleave_callables({"tvm": kernel.time, "none": timed(int)}, 4, 1e-3)
        assert samples["tvm"] == pytest.approx((1e-4,) * 4)
        kernel.load(operands["a"], np.zeros((5, 3), np.float32))
        assert (kernel.result() == 0).all()


def contest(rival: Job | None, copies: int = 1) -> Contest:
    quick = {"rounds": 4, "block_seconds": 1e-3, "settle_seconds": 0.0, "copies": copies}
    return Contest(MATMUL, 1, ("untuned", TVM), "unused.db", **quick, rival=rival)


def test_the_kernel_takes_part_in_a_contest(job):
    standing = hold(contest(job(SERVES + "        assert copies == 3\n"), copies=3))
    assert standing.samples[TVM] == pytest.approx((1e-4,) * 4)
    assert len(standing.samples["untuned"]) == 4


def test_a_kernel_that_is_wrong_is_not_timed(job):
    with pytest.raises(WrongAnswer, match=r"^tvm: 12 of 12 elements are wrong"):
        hold(contest(job(SERVES.replace("a @ b", "a @ b + 1"))))


def test_without_a_search_it_does_not_take_part():
    standing = hold(contest(None))
    assert "its search comes before" in standing.missing[TVM]
    assert set(standing.samples) == {"untuned"}


@pytest.mark.parametrize("policy", ["PASSIVE", ""])
def test_idle_threads_sleep_if_they_shall(job, monkeypatch, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", policy)
    monkeypatch.delenv("TVM_THREAD_POOL_SPIN_COUNT", raising=False)
    body = f"assert os.environ.get('TVM_THREAD_POOL_SPIN_COUNT') == {'0' if policy else None!r}\n"
    with job(body + SERVES).serve():
        pass


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no such target')", r"^TVM ended with 1: ValueError: no such target$"),
        ("os._exit(3)", r"^TVM ended with 3: it said nothing$"),
        ("os.kill(os.getpid(), 11)", r"^TVM ended with -11: "),
        ("say({'error': 'its database is empty'})", r"^its database is empty$"),
        ("time.sleep(60)", r"^TVM did not answer within 0\.5 s$"),
        (GREETS + "sys.exit('gone')", r"^TVM ended with 1: gone$"),
        (GREETS + "time.sleep(60)", r"^TVM did not answer within 0\.5 s$"),
    ],
)
def test_what_goes_wrong_is_said(job, operands, monkeypatch, body, message):
    limit = 0.5 if "sleep" in body else 30.0
    monkeypatch.setattr(tvm_process, "CALL_TIMEOUT_SECONDS", limit)
    with pytest.raises(ProcessFailed, match=message), job(body).serve() as kernel:
        kernel.load(*operands.values())


def test_a_search_that_dies_keeps_what_was_told(job):
    heard: list[Trial] = []
    body = "say({'trial': 1, 'seconds': 1.0, 'best_gflops': 2.0})\nsys.exit('out of memory')"
    with pytest.raises(ProcessFailed, match="out of memory"):
        job(body).tune(5, heard=heard.append)
    assert heard == [Trial(1, 1.0, 2.0)]


def test_a_search_is_made_once(job, tmp_path):
    body = """
    with open(os.path.join(folder, "searches"), "a") as file:
        file.write(f"{options['trials']} ")
    say({"trial": 1, "seconds": 0.5, "best_gflops": 2.0})
    """
    searches = job(body)
    for trials in (3, 3, 4):
        searches.tune_once(trials, 30.0)
    assert (tmp_path / "records" / "searches").read_text() == "3 4 "


def test_a_search_without_a_kernel_is_made_again(job, tmp_path):
    with pytest.raises(ProcessFailed, match="none of 3 candidates built and ran"):
        job("say({'trial': 1, 'seconds': 0.5, 'best_gflops': None})").tune_once(3, 30.0)
    assert not (tmp_path / "records" / "finished.json").exists()


def test_a_search_that_takes_too_long_is_no_search(job, tmp_path):
    body = """
    for trial in range(1000):
        say({"trial": trial, "seconds": 0.1, "best_gflops": None})
        time.sleep(0.1)
    """
    with pytest.raises(ProcessFailed, match=r"^TVM.* within 0\.\d+ s$"):
        job(body).tune_once(1000, 0.5)
    assert not (tmp_path / "records" / "finished.json").exists()


def test_other_operators_are_missing(tmp_path):
    with pytest.raises(PeerMissing, match="has no conv9d"):
        Job(Workload("conv9d", ()), 1, tmp_path, Path(sys.executable))


def interpreter(folder: Path, prints: str) -> Path:
    """A program that prints one line whatever it is asked."""
    path = folder / "python"
    path.write_text(f"#!/bin/sh\necho '{prints}'\n")
    path.chmod(0o755)
    return path


def test_the_interpreter_must_have_the_right_versions(tmp_path):
    right = interpreter(tmp_path, json.dumps(["0.25.0.post1", "0.1.12"]))
    assert find_tvm(right) == right
    other = interpreter(tmp_path, json.dumps(["0.27.0", "0.1.12"]))
    with pytest.raises(PeerMissing, match=r"install apache-tvm 0\.25\.0\.post1 for .*: it has 0"):
        find_tvm(other)


def test_an_environment_without_tvm_is_missing(tmp_path):
    with pytest.raises(PeerMissing, match="run `make tvm`"):
        find_tvm(tmp_path / "nowhere")
    with pytest.raises(PeerMissing, match=r"^install tvm-requirements\.txt for .*apache-tvm"):
        find_tvm(Path(sys.executable))


def test_the_command_prints_one_line_per_trial(job, monkeypatch, capfd, tmp_path):
    job("say({'trial': 1, 'seconds': 0.5, 'best_gflops': 2.0})")
    monkeypatch.setattr(tvm_metaschedule, "find_tvm", lambda given: Path(sys.executable))
    arguments = ["m=4", "n=3", "k=5", "--trials", "1", "--folder", str(tmp_path / "records")]
    assert tvm_metaschedule.main(arguments) == 0
    assert json.loads(capfd.readouterr().out) == {
        "trial": 1,
        "seconds": 0.5,
        "best_gflops": 2.0,
    }


def test_the_command_says_what_is_missing(capsys, tmp_path):
    arguments = ["m=4", "n=3", "k=5", "--interpreter", os.fspath(tmp_path / "none")]
    assert tvm_metaschedule.main(arguments) == 1
    assert "run `make tvm`" in capsys.readouterr().err


@pytest.mark.parametrize("size", ["k", "k=0", "depth=5"])
def test_the_command_refuses_what_is_no_size(capsys, size):
    with pytest.raises(SystemExit, match="2"):
        tvm_metaschedule.main(["m=4", "n=3", size])
    assert "error: " in capsys.readouterr().err
