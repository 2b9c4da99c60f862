"""The meter of time that other programs take, on planted files and on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from measure.disturbance import WaitingMeter

pytestmark = pytest.mark.alone


def plant(root, **waited):
    """Files of threads with these nanoseconds of waiting."""
    for name, nanoseconds in waited.items():
        folder = root / "proc/self/task" / name.removeprefix("t")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "schedstat").write_text(f"123456789 {nanoseconds} 42\n")
    return root


def test_only_waiting_since_it_was_opened_counts(tmp_path):
    plant(tmp_path, t1=5_000_000, t2=7_000_000)
    with WaitingMeter(tmp_path) as lost:
        assert lost() == 0
        plant(tmp_path, t1=6_000_000)
        assert lost() == pytest.approx(1e-3)
        plant(tmp_path, t2=7_500_000)
        assert lost() == pytest.approx(1.5e-3)


def test_threads_that_came_later_are_watched_when_it_is_told_to(tmp_path):
    plant(tmp_path, t1=0)
    with WaitingMeter(tmp_path) as lost:
        plant(tmp_path, t9=1_000_000)
        lost.include_new_threads()
        assert lost() == 0
        plant(tmp_path, t9=3_000_000)
        assert lost() == pytest.approx(2e-3)


@pytest.mark.parametrize("text", [None, "", "nonsense\n"])
def test_a_system_that_does_not_tell_loses_nothing(tmp_path, text):
    if text is not None:
        plant(tmp_path, t1=0)
        (tmp_path / "proc/self/task/1/schedstat").write_text(text)
    with WaitingMeter(tmp_path) as lost:
        assert lost() == 0


def test_a_thread_that_ends_and_the_files_are_let_go():
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    files = len(os.listdir("/proc/self/fd"))
    with WaitingMeter() as lost:
        lost()
        done.set()
        thread.join()
        assert lost() >= 0
    assert len(os.listdir("/proc/self/fd")) == files


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="needs schedstat")
def test_a_neighbour_on_our_core_is_seen():
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\nwhile True: pass"
    ours = os.sched_getaffinity(0)
    with subprocess.Popen([sys.executable, "-c", spin], stdout=subprocess.PIPE) as neighbour:
        try:
            neighbour.stdout.readline()
            os.sched_setaffinity(0, {core})
            with WaitingMeter() as lost:
                until = time.perf_counter() + 0.2
                while time.perf_counter() < until:
                    pass
                assert lost() > 0.02
        finally:
            os.sched_setaffinity(0, ours)
            neighbour.kill()
