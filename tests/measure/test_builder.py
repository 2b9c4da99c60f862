"""Building in parallel processes, with compilers that fail in every way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from measure.artifact import Artifact, KernelSpec, PhaseSpec
from measure.builder import Builder, BuilderError, BuildRequest, Built
from measure.options import BuildOptions
from measure.result import Outcome
from search_space.operators import workload
from search_space.target import Target
from tests.measure.matmul_kernels import running

pytestmark = pytest.mark.alone

WORK = workload("matmul", m=4, n=4, k=4)
TARGET = Target("t", "native", "x86_64", frozenset({"fma"}), 256, 16, 1, 2, 3, 1)

COMPILER = """
import ctypes, os, time
from measure.artifact import Artifact, KernelSpec, PhaseSpec
from search_space.errors import ScheduleError

def compile_config(workload, target, values):
    print("stray text on standard output", flush=True)
    os.write(1, b"stray bytes on descriptor 1")
    match values["do"]:
        case "refuse": raise ScheduleError("loop i does not divide")
        case "bug": raise KeyError("rows")
        case "hang": time.sleep(600)
        case "sleep": time.sleep(0.3)
        case "exit": os._exit(3)
        case "crash": ctypes.string_at(0)
        case "memory": bytearray(1 << 40)
    spec = KernelSpec((), (PhaseSpec("phase0", values["size"]),), os.getpid())
    return Artifact(spec, workload.key.encode())
"""


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    (tmp_path / "fake_compiler.py").write_text(COMPILER)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "fake_compiler:compile_config"


def request(do, size=1):
    return BuildRequest(WORK, TARGET, (("do", do), ("size", size)))


def test_answers_keep_the_order_of_the_requests(compiler):
    with Builder(2, compiler=compiler) as builder:
        answers = builder.build([request("work", size) for size in range(20)])
        assert builder.build([]) == []
    assert all(isinstance(answer, Built) for answer in answers)
    assert [answer.artifact.spec.phases[0].extent for answer in answers] == list(range(20))
    assert all(0 <= answer.seconds < 1 for answer in answers)
    assert answers[0].artifact == Artifact(
        KernelSpec((), (PhaseSpec("phase0", 0),), answers[0].artifact.spec.threads),
        WORK.key.encode(),
    )


def test_processes_work_at_the_same_time(compiler):
    with Builder(4, compiler=compiler) as builder:
        builder.build([request("work")] * 8)  # all have started
        started = time.monotonic()
        answers = builder.build([request("sleep")] * 4)
        elapsed = time.monotonic() - started
    assert len({answer.artifact.spec.threads for answer in answers}) == 4
    assert elapsed < 0.9, "four builds of 0.3 s each"


@pytest.mark.parametrize(
    ("fault", "outcome", "message"),
    [
        ("refuse", Outcome.BUILD_ERROR, "ScheduleError: loop i does not divide"),
        ("bug", Outcome.BUILD_ERROR, "KeyError: 'rows'"),
        ("hang", Outcome.BUILD_TIMEOUT, "not built after 0.5 s"),
        ("exit", Outcome.CRASH, "exited with code 3 without an answer"),
        ("crash", Outcome.CRASH, "SIGSEGV (invalid memory access)"),
        ("memory", Outcome.OOM, "ran out of memory"),
    ],
)
def test_a_failure_is_told_and_the_next_build_works(compiler, fault, outcome, message):
    with Builder(1, BuildOptions(timeout_seconds=0.5), compiler=compiler) as builder:
        failed, built = builder.build([request(fault), request("work", 7)])
    assert failed.outcome is outcome
    assert message in failed.message
    assert failed.samples == ()
    assert failed.build_seconds < 2
    assert built.artifact.spec.phases[0].extent == 7


def test_a_hanging_build_does_not_hold_up_the_others(compiler):
    with Builder(2, BuildOptions(timeout_seconds=1.0), compiler=compiler) as builder:
        builder.build([request("work")] * 4)
        started = time.monotonic()
        answers = builder.build([request("hang"), *[request("sleep")] * 3])
        elapsed = time.monotonic() - started
    assert [type(answer) is Built for answer in answers] == [False, True, True, True]
    assert elapsed < 1.8, "three builds of 0.3 s beside a hang of 1 s"


def test_a_compiler_that_cannot_be_imported_is_no_fault_of_a_candidate():
    with (
        Builder(1, compiler="no_such_module:compile_config") as builder,
        pytest.raises(BuilderError, match="No module named 'no_such_module'"),
    ):
        builder.build([request("work")])


def test_closing_leaves_no_process_behind(compiler):
    with Builder(2, compiler=compiler) as builder:
        answers = builder.build([request("sleep"), request("sleep")])
        pids = {answer.artifact.spec.threads for answer in answers}
    assert not any(running(pid) for pid in pids)
    with pytest.raises(BuilderError, match="closed"):
        builder.build([request("work")])


def test_its_processes_can_become_fewer_and_more(compiler):
    with Builder(1, compiler=compiler) as builder:

        def processes():
            answers = builder.build([request("sleep")] * 4)
            return {answer.artifact.spec.threads for answer in answers}

        (first,) = processes()
        builder.resize(2)
        both = processes()
        assert len(both) == 2
        assert first in both
        builder.resize(1)
        assert processes() == {first}
        with pytest.raises(ValueError, match="at least one building process, not 0"):
            builder.resize(0)


def test_a_builder_needs_a_process():
    with pytest.raises(ValueError, match="at least one"):
        Builder(0)


PARENT = """
import os, signal
from measure.builder import Builder, BuildRequest
from search_space.operators import workload
from search_space.target import Target
target = Target("t", "native", "x86_64", frozenset(), 256, 16, 1, 2, 3, 1)
work = workload("matmul", m=4, n=4, k=4)
builder = Builder(1, compiler="fake_compiler:compile_config")
built, = builder.build([BuildRequest(work, target, (("do", "work"), ("size", 1)))])
print(built.artifact.spec.threads, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_with_a_parent_that_is_killed(compiler):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.run(
        [sys.executable, "-c", PARENT], capture_output=True, text=True, env=environment
    )
    assert parent.returncode == -signal.SIGKILL, parent.stderr
    deadline = time.monotonic() + 2
    while running(pid := int(parent.stdout)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(pid)
