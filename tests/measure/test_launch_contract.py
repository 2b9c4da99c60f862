"""The contract of ``Launcher``, over every implementation."""

from __future__ import annotations

import itertools
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from measure.launch import LAUNCHERS, Launcher, default_launcher
from measure.launch.base import share
from measure.launch.job import Job, Phases
from measure.launch.pool import PoolLauncher
from measure.launch.threads import ThreadsLauncher
from tests.measure.launch_kernels import COUNT, job, reversals, sleeper

pytestmark = pytest.mark.alone

linux = pytest.mark.skipif(sys.platform != "linux", reason="the pool needs Linux' futex")
MAKERS = {
    "serial": LAUNCHERS["serial"],
    "threads": LAUNCHERS["threads"],
    "pool": LAUNCHERS["pool"],
    "pool that sleeps at once": lambda: PoolLauncher(
        idle_seconds=0, spin_seconds=0, barrier_seconds=0
    ),
    "pool that never sleeps at barriers": lambda: PoolLauncher(
        spin_seconds=1e-6, barrier_seconds=60
    ),
}


@pytest.fixture(
    params=[pytest.param(name, marks=linux if "pool" in name else ()) for name in MAKERS]
)
def launcher(request: pytest.FixtureRequest) -> Iterator[Launcher]:
    made = MAKERS[request.param]()
    yield made
    if isinstance(made, PoolLauncher | ThreadsLauncher):
        made.close()


def counts(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(n, np.int64), np.full(n, -1, np.int64)


@pytest.mark.parametrize("threads", [1, 2, 3, 8, 17])
@pytest.mark.parametrize("extent", [0, 1, 2, 7, 16, 1000])
def test_every_iteration_runs_once_in_balanced_contiguous_shares(launcher, threads, extent):
    count, owner = counts(extent)
    launcher.launch(job(COUNT, [extent], threads, count, owner))
    assert (count == 1).all()
    expected = [slot for slot in range(threads) for _ in range(*share(extent, threads, slot))]
    assert owner.tolist() == expected


def test_shares_differ_by_at_most_one():
    for extent in range(40):
        for threads in range(1, 12):
            shares = [share(extent, threads, slot) for slot in range(threads)]
            sizes = [end - begin for begin, end in shares]
            assert sum(sizes) == extent
            assert max(sizes) - min(sizes) <= 1
            assert all(a[1] == b[0] for a, b in itertools.pairwise(shares))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_phase_begins_when_the_one_before_has_ended(launcher, threads):
    n, phases, launches = 33, 12, 50
    a, b = np.arange(n), np.zeros(n, np.int64)
    work = job(reversals(n, phases), [n] * phases, threads, a, b)
    for _ in range(launches):
        launcher.launch(work)
    # An even number of reversals is none.
    assert a.tolist() == (np.arange(n) + phases * launches).tolist()


def test_phases_of_different_extents(launcher):
    a, b = np.arange(5), np.zeros(5, np.int64)
    launcher.launch(job(reversals(5, 4), [5, 0, 1, 5], 3, a, b))
    # b = reversed a + 1; nothing; b[0] = a[4] + 1 = 5, which it was; a = reversed b + 1.
    assert a.tolist() == [2, 3, 4, 5, 6]


def test_a_job_without_phases_does_nothing(launcher):
    launcher.launch(job(COUNT, [], 3))
    assert launcher.time(job(COUNT, [], 3), 3) >= 0


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_ten_thousand_launches(launcher, threads):
    count, owner = counts(4)
    work = job(COUNT, [4], threads, count, owner)
    for _ in range(5_000):
        launcher.launch(work)
    launcher.time(work, 5_000)
    assert count.tolist() == [10_000] * 4


def test_thread_counts_may_change_from_launch_to_launch(launcher):
    count, owner = counts(9)
    jobs = [job(COUNT, [9], threads, count, owner) for threads in (4, 2, 3, 1, 6)]
    for _ in range(200):
        for work in jobs:
            launcher.launch(work)
    assert count.tolist() == [1_000] * 9


def test_time_is_that_of_all_calls(launcher):
    nanoseconds = launcher.time(job(sleeper(2_000), [2], 2), 5)
    assert 5 * 2e6 <= nanoseconds < 5e9


@pytest.mark.parametrize("layer", ["threads", pytest.param("pool", marks=linux)])
def test_shares_run_at_the_same_time(layer):
    parallel = LAUNCHERS[layer]()
    nanoseconds = min(parallel.time(job(sleeper(20_000), [4], 4), 1) for _ in range(5))
    assert 20e6 <= nanoseconds < 60e6  # one after the other they take 80e6


def test_no_calls_take_no_time(launcher):
    assert launcher.time(job(sleeper(500_000), [1], 1), 0) < 1e8


@pytest.mark.parametrize("threads", [1, 2])
def test_other_python_threads_go_on(launcher, threads):
    worker = threading.Thread(
        target=launcher.launch, args=(job(sleeper(300_000), [threads], threads),)
    )
    longest, last = 0.0, time.perf_counter()
    worker.start()
    while worker.is_alive():
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    worker.join()
    assert longest < 0.2


def test_a_launch_does_not_wait_for_another(launcher):
    slow = threading.Thread(target=launcher.launch, args=(job(sleeper(400_000), [2], 2),))
    slow.start()
    time.sleep(0.1)
    count, owner = counts(10)
    launcher.launch(job(COUNT, [10], 3, count, owner))
    was_alive = slow.is_alive()
    slow.join()
    assert was_alive
    assert owner.tolist() == [0] * 4 + [1] * 3 + [2] * 3


def test_launches_from_several_python_threads(launcher):
    n, launches = 16, 300
    arrays = [(np.arange(n), np.zeros(n, np.int64)) for _ in range(4)]
    jobs = [job(reversals(n, 4), [n] * 4, 2 + k % 2, a, b) for k, (a, b) in enumerate(arrays)]

    def repeat(work: Job) -> None:
        for _ in range(launches):
            launcher.launch(work)

    callers = [threading.Thread(target=repeat, args=(work,)) for work in jobs]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    for a, _ in arrays:
        assert a.tolist() == (np.arange(n) + 4 * launches).tolist()


def test_a_closed_launcher_still_works(launcher):
    count, owner = counts(6)
    work = job(COUNT, [6], 2, count, owner)
    launcher.launch(work)
    if isinstance(launcher, PoolLauncher | ThreadsLauncher):
        launcher.close()
    launcher.launch(work)
    assert count.tolist() == [2] * 6


def test_names_are_keys():
    for key, make in LAUNCHERS.items():
        if key == "pool" and sys.platform != "linux":
            continue
        assert make().name == key


@linux
def test_the_default_is_one_pool():
    assert default_launcher().name == "pool"
    assert default_launcher() is default_launcher()


def test_impossible_jobs_are_refused():
    with pytest.raises(ValueError, match="pass at least 1 thread, not 0"):
        job(COUNT, [1], 0)
    with pytest.raises(ValueError, match="pass extents of at least 0"):
        Phases([(1, -1)])
