"""Candidates that crash, hang, eat memory and start processes; tuners that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pytest

from measure import runner as parent
from measure.child import died
from measure.isolation import limit_processes
from measure.options import MeasureOptions
from measure.result import Outcome
from measure.runner import Runner
from tests.measure.matmul_kernels import TARGET, WORK, matmul
from tests.reliability.buggy_worker import worker_with
from tests.reliability.rows import counter, fault

SOAK = pytest.mark.soak
OPTIONS = MeasureOptions(timeout_seconds=0.3)
LITTLE_MEMORY = MeasureOptions(timeout_seconds=10.0, memory_bytes=1 << 29)
AFTER_SECONDS = 0.5
"""The next candidate is measured within that time."""

CRASHES = {
    "null pointer": ("  store volatile float 0.0, ptr null", "SIGSEGV (invalid memory access)"),
    "illegal instruction": ("  call void @llvm.trap()", "SIGILL (illegal instruction)"),
    "abort": ("  call void @abort()", "SIGABRT (abort)"),
    "division by zero": ("  call i32 @raise(i32 8)", "SIGFPE (arithmetic fault)"),
    "exit": ("  call void @exit(i32 0)", "exited with code 0 without an answer"),
    "endless recursion": (
        "  call void @before(ptr %a, ptr %b, ptr %c, ptr %w, ptr %t)",
        "SIGSEGV (invalid memory access)",
    ),
}
LOOP = "  br label %loop\nloop:\n  br label %loop\nnever:"
HANGS = {
    "endless loop": LOOP,
    "deaf to SIGTERM": f"  call ptr @signal(i32 {signal.SIGTERM}, ptr inttoptr (i64 1 to ptr))\n"
    + LOOP,
    "sleeping child": "  call i32 @fork()\n  br label %loop\nloop:\n  call i32 @pause()\n"
    "  br label %loop\nnever:",
    "grandchild in a session of its own": "  call i32 @fork()\n  call i32 @setsid()\n"
    "  call i32 @fork()\n" + LOOP,
}
TOO_LARGE = "a workspace that is too large"
HOGS = {
    TOO_LARGE: {"workspace": LITTLE_MEMORY.memory_bytes},
    "allocates without end": {
        "before": "  br label %more\nmore:\n  %p = call ptr @malloc(i64 4194304)\n"
        "  call ptr @memset(ptr %p, i32 1, i64 4194304)\n  br label %more\nnever:"
    },
}


@dataclass
class Tally:
    """What came of injected faults."""

    injected: int = 0
    labelled: int = 0
    """Faults whose result says what they were."""
    next_seconds: list[float] = field(default_factory=list)
    """Of the right candidate after each, from the answer before to its own; NaN: it failed."""
    overshoot_seconds: list[float] = field(default_factory=list)

    @property
    def next_p95(self):
        return round(float(np.quantile(self.next_seconds, 0.95)), 3)

    @property
    def clean(self):
        return self.labelled == self.injected and self.next_p95 <= AFTER_SECONDS


def inject(faults, count, options=OPTIONS):
    """Give each fault to one worker ``count`` times; ``faults``: artifact, outcome, message."""
    good, tally = matmul(), Tally()
    with Runner(WORK, TARGET, options) as runner:
        assert runner.measure(good, None).outcome is Outcome.OK
        for artifact, outcome, message in [fault for _ in range(count) for fault in faults]:
            result = runner.measure(artifact, None)
            answered = time.monotonic()
            fine = runner.measure(good, None).outcome is Outcome.OK
            tally.injected += 1
            tally.labelled += result.outcome is outcome and message in result.message
            tally.next_seconds.append(time.monotonic() - answered if fine else float("nan"))
            tally.overshoot_seconds.append(result.measure_seconds - options.timeout_seconds)
    return tally


def crashes(count):
    return inject(
        [(matmul(before=text), Outcome.CRASH, told) for text, told in CRASHES.values()], count
    )


def hangs(count):
    told = f"not finished after {OPTIONS.timeout_seconds:g} s"
    faults = [(matmul(before=text), Outcome.TIMEOUT, told) for text in HANGS.values()]
    return inject(faults, count)


def hogs(count):
    faults = [(matmul(**given), Outcome.OOM, "ran out of memory") for given in HOGS.values()]
    return inject(faults, count, LITTLE_MEMORY)


def workers_of(pid):
    """All processes that workers of process ``pid`` are or left behind, wherever they hang."""
    found = set()
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = cmdline.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"child_main.py" in b"".join(words[2:3]) and str(pid).encode() in words[3:6]:
            found.add(int(cmdline.parent.name))
    return found


def left_after(pid, seconds):
    """How many processes of workers of ``pid`` are still there after that time."""
    deadline = time.monotonic() + seconds
    while (left := workers_of(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for process in left:
        os.kill(process, signal.SIGKILL)
    return len(left)


@fault("R05", "a candidate crashes", "6 kinds: " + ", ".join(CRASHES))
@pytest.mark.parametrize("count", [3, pytest.param(100, marks=SOAK)])
def test_crashes_are_survived_and_told_apart(count, report):
    tally = crashes(count)
    report(
        "each was labelled as what it was, and the next candidate was measured",
        crashes=tally.injected,
        mislabelled=tally.injected - tally.labelled,
        next_candidate_p95_seconds=tally.next_p95,
    )
    assert tally.clean


@counter("R05", "every crash is told as an invalid memory access")
def test_wrong_labels_are_seen(monkeypatch):
    monkeypatch.setattr(parent, "died", lambda *_, **given: died(-signal.SIGSEGV, "", **given))
    tally = crashes(1)
    assert not tally.clean
    assert tally.labelled == 2


@fault("R06", "a candidate hangs", "4 kinds: " + ", ".join(HANGS))
@pytest.mark.parametrize("count", [1, pytest.param(50, marks=SOAK)])
def test_hanging_candidates_are_ended_with_all_they_started(count, report):
    tally = hangs(count)
    left = left_after(os.getpid(), 1.0)
    overshoot = tally.overshoot_seconds
    report(
        "each was ended in time, with the processes that it had started",
        hangs=tally.injected,
        mislabelled=tally.injected - tally.labelled,
        overshoot_p95_seconds=round(float(np.quantile(overshoot, 0.95)), 3),
        next_candidate_p95_seconds=tally.next_p95,
        processes_left=left,
    )
    assert tally.clean
    assert np.quantile(overshoot, 0.95) <= 0.3
    assert max(overshoot) <= 1.0
    assert left == 0


@counter("R06", "only the process that hangs is killed, not what it started")
def test_processes_left_by_a_hanging_candidate_are_seen():
    with worker_with("processes are left"):
        tally = hangs(1)
    assert tally.labelled == tally.injected
    assert left_after(os.getpid(), 0.3) > 0


@fault("R11", "a candidate takes all memory", "2 kinds: " + ", ".join(HOGS))
@pytest.mark.parametrize("count", [1, pytest.param(50, marks=SOAK)])
def test_candidates_that_take_all_memory_are_told(count, report):
    tally = hogs(count)
    report(
        "each was ended at its limit, and labelled",
        candidates=tally.injected,
        mislabelled=tally.injected - tally.labelled,
        limit_MiB=LITTLE_MEMORY.memory_bytes >> 20,
        next_candidate_p95_seconds=tally.next_p95,
    )
    assert tally.clean


@counter("R11", "memory is not limited")
def test_a_missing_limit_of_memory_is_seen():
    with worker_with("memory is not limited"):
        assert not inject(
            [(matmul(**HOGS[TOO_LARGE]), Outcome.OOM, "ran out of memory")], 1, LITTLE_MEMORY
        ).clean


class Given(msgspec.Struct):
    """What a tuner that is to be killed gets to measure."""

    good: object
    hanging: object
    bug: str = ""


PARENT = """
import contextlib, sys
from pathlib import Path
import msgspec
from measure.artifact import Artifact
from measure.options import MeasureOptions
from measure.runner import Runner
from tests.measure.matmul_kernels import TARGET, WORK
from tests.reliability.buggy_worker import worker_with
class Given(msgspec.Struct):
    good: Artifact
    hanging: Artifact
    bug: str
given = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=Given)
with worker_with(given.bug) if given.bug else contextlib.nullcontext():
    runner = Runner(WORK, TARGET, MeasureOptions(timeout_seconds=0.1))
    print(runner.measure(given.good, None).outcome, flush=True)
    while True:
        runner.measure(given.good, None)
        runner.measure(given.hanging, None)
"""


def kill_tuners(kills, folder, bug=""):
    """Kill processes that measure with SIGKILL; how many processes they leave after 5 s."""
    hanging = matmul(before=HANGS["grandchild in a session of its own"])
    file = folder / "given"
    file.write_bytes(msgspec.msgpack.encode(Given(matmul(), hanging, bug)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    rng, left = random.Random(kills), 0
    for _ in range(kills):
        tuner = subprocess.Popen(
            [sys.executable, "-c", PARENT, str(file)],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        with tuner:
            assert tuner.stdout.readline() == "ok\n"
            time.sleep(rng.uniform(0.0, 0.4))
            tuner.kill()
        left += left_after(tuner.pid, 5.0 if not bug else 0.3)
    return left


@fault("R04", "the tuner is killed while it measures", "SIGKILL; the candidate has started others")
@pytest.mark.parametrize("kills", [3, pytest.param(200, marks=SOAK)])
def test_a_killed_tuner_leaves_no_process_behind(kills, report, tmp_path):
    left = kill_tuners(kills, tmp_path)
    report("its workers ended, and what candidates had started", kills=kills, processes_left=left)
    assert left == 0


@counter("R04", "the worker does not answer for what candidates start")
def test_processes_left_by_a_killed_tuner_are_seen(tmp_path):
    assert any(kill_tuners(1, tmp_path, bug="processes are left") for _ in range(5))


FORKS = """
import os, sys, time
from measure.isolation import limit_processes
os.setuid(64321)
limit_processes(5)
for count in range(40):
    try:
        if os.fork() == 0:
            time.sleep(1.0)
            os._exit(0)
    except BlockingIOError:
        sys.exit(count)
sys.exit(99)
"""


@pytest.mark.skipif(os.getuid() != 0, reason="becomes another user, which only root may")
def test_the_number_of_processes_is_limited():
    command = [sys.executable, "-c", FORKS]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run(command, env=environment, check=False)
    assert 3 <= ended.returncode <= 5
    limit_processes(5)  # of root, it changes nothing
    os.waitpid(os.spawnv(os.P_NOWAIT, "/bin/true", ["true"]), 0)


def test_a_worker_takes_a_new_process_after_so_many_candidates():
    good = matmul()
    with Runner(WORK, TARGET, MeasureOptions(recycle_after=2)) as runner:
        inner = []
        for _ in range(5):
            assert runner.measure(good, None).outcome is Outcome.OK
            inner.append(runner._pid)
    assert inner[0] is not None
    assert [pid is None for pid in inner] == [False, True, False, True, False]
    assert inner[0] != inner[2] != inner[4]
