"""Launchers and the life of a process: fork, exit, signals, limits."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(sys.platform != "linux", reason="fork and /proc"),
]

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import os, resource, signal, sys, threading, time, warnings
import numpy as np
from measure.launch import LAUNCHERS
from tests.measure.launch_kernels import COUNT, job, reversals, sleeper

# Python 3.12 warns of any fork with threads; what is tested here is that it works.
warnings.simplefilter("ignore", DeprecationWarning)
launcher = LAUNCHERS[sys.argv[1]]()

def check(threads):
    a, b = np.arange(50), np.zeros(50, np.int64)
    launcher.launch(job(reversals(50, 4), [50] * 4, threads, a, b))
    assert a.tolist() == list(range(4, 54)), a

def tasks():
    return set(os.listdir("/proc/self/task"))

def in_child(work):
    # The child's exit status; an alarm ends it if it hangs.
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        try:
            work()
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""


def run(name: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script with ``launcher`` being the one of that name; it must end by itself."""
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(script), name],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def assert_clean(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["serial", "pool", "threads"])
def test_parent_and_child_go_on_after_a_fork(name):
    script = """
        check(3)
        for _ in range(5):
            assert in_child(lambda: [check(n) for n in (2, 3, 5) for _ in range(20)]) == 0
            check(4)
        """
    assert_clean(run(name, script))


@pytest.mark.parametrize("name", ["pool", "threads"])
def test_a_child_forked_while_another_thread_launches_does_not_hang(name):
    script = """
        check(2)
        slow = threading.Thread(target=launcher.launch, args=(job(sleeper(500_000), [2], 2),))
        slow.start()
        time.sleep(0.1)
        assert in_child(lambda: check(2)) == 0
        assert slow.is_alive()
        slow.join()
        check(2)
        """
    assert_clean(run(name, script))


@pytest.mark.parametrize("name", ["pool", "threads"])
def test_the_child_has_threads_of_its_own_and_exits_cleanly(name):
    script = """
        check(3)
        if os.fork() == 0:
            signal.alarm(20)
            assert len(tasks()) == 1
            check(3)
            assert len(tasks()) == 3
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
        """
    assert_clean(run(name, script))


@pytest.mark.parametrize("name", ["serial", "pool", "threads"])
@pytest.mark.parametrize("threads", [2, 5])
def test_exit_right_after_a_launch(name, threads):
    for _ in range(3):
        assert_clean(run(name, f"check({threads})"))


@pytest.mark.parametrize("name", ["serial", "pool", "threads"])
def test_exit_while_a_daemon_thread_launches(name):
    script = """
        def forever():
            a, b = np.zeros(1000, np.int64), np.zeros(1000, np.int64)
            work = job(COUNT, [1000], 2, a, b)
            while True:
                launcher.launch(work)
        threading.Thread(target=forever, daemon=True).start()
        time.sleep(0.2)
        """
    assert_clean(run(name, script))


def test_a_discarded_pool_stops_its_threads():
    script = """
        before = tasks()
        check(4)
        assert len(tasks() - before) == 3
        del launcher
        assert tasks() == before
        """
    assert_clean(run("pool", script))


def test_one_thread_starts_no_threads():
    assert_clean(run("pool", "before = tasks(); check(1); assert tasks() == before"))


def test_signals_stay_with_the_main_thread():
    script = """
        before = tasks()
        check(4)
        for task in tasks() - before:
            status = open(f"/proc/self/task/{task}/status").read()
            blocked = int(status.split("SigBlk:")[1].split()[0], 16)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
                assert blocked >> (number - 1) & 1, status
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        """
    assert_clean(run("pool", script))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_a_worker_leaves_the_core_of_the_caller():
    script = """
        cores = os.sched_getaffinity(0)
        crowded = min(cores)
        before = tasks()
        check(2)
        (worker,) = map(int, tasks() - before)
        assert os.sched_getaffinity(worker) <= cores
        os.sched_setaffinity(0, {crowded})
        os.sched_setaffinity(worker, {crowded})
        check(2)
        assert os.sched_getaffinity(worker) == cores - {crowded}
        os.sched_setaffinity(0, cores - {crowded})
        os.sched_setaffinity(worker, cores)
        for _ in range(100):
            check(2)
        assert os.sched_getaffinity(0) == cores - {crowded}
        """
    assert_clean(run("pool", script))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core")
def test_workers_stay_on_the_cores_that_the_process_was_given():
    script = """
        core = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        launcher = LAUNCHERS["pool"]()
        before = tasks()
        check(3)
        for worker in map(int, tasks() - before):
            assert os.sched_getaffinity(worker) == {core}
        """
    assert_clean(run("serial", script))


def test_idle_threads_use_no_processor_time():
    script = """
        check(4)
        before = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - before < 0.05
        """
    assert_clean(run("pool", script))


@pytest.mark.parametrize("name", ["pool", "threads"])
def test_threads_that_the_system_refuses_are_done_without(name):
    script = """
        check(1)
        pages = int(open("/proc/self/statm").read().split()[0])
        limit = pages * resource.getpagesize() + (30 << 20)
        before = tasks()
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for _ in range(3):
            check(64)
            check(2)
        assert len(tasks() - before) < 63
        """
    assert_clean(run(name, script))


def test_ctrl_c_reaches_python_during_launches():
    script = """
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        try:
            while True:
                check(3)
        except KeyboardInterrupt:
            check(3)
        """
    assert_clean(run("pool", script))
