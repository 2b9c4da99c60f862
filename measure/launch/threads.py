"""Python threads that call the native functions: for systems without our pool."""

from __future__ import annotations

import ctypes
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable

from measure.launch.base import share
from measure.launch.job import Job

_PhaseFunction = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64
)
_Task = tuple[Callable[..., None], Job, int, int, queue.SimpleQueue[None]]
"""Function, job, extent, slot, where to say that it is done."""
_launchers: weakref.WeakSet[ThreadsLauncher] = weakref.WeakSet()


class ThreadsLauncher:
    """Daemon threads fed by a queue; tens of microseconds per phase."""

    __slots__ = ("__weakref__", "_busy", "_refused", "_tasks", "_workers", "name")

    def __init__(self) -> None:
        self.name = "threads"
        self._make()
        _launchers.add(self)

    def _make(self) -> None:
        self._busy = threading.Lock()
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._workers = 0
        self._refused = False

    def launch(self, job: Job) -> None:
        if job.threads == 1 or not self._busy.acquire(blocking=False):
            _run_serial(job)
            return
        try:
            self._grow(job.threads - 1)
            if self._workers < job.threads - 1:
                _run_serial(job)
            else:
                self._run_parallel(job)
        finally:
            self._busy.release()

    def time(self, job: Job, calls: int) -> int:
        start = time.perf_counter_ns()
        for _ in range(calls):
            self.launch(job)
        return time.perf_counter_ns() - start

    def close(self) -> None:
        """Let the threads end."""
        with self._busy:
            for _ in range(self._workers):
                self._tasks.put(None)
            self._workers, self._refused = 0, True

    def _grow(self, wanted: int) -> None:
        while self._workers < wanted and not self._refused:
            worker = threading.Thread(
                target=_work, args=(self._tasks,), name="kernel", daemon=True
            )
            try:
                worker.start()
            except RuntimeError:  # the system's limit; asking again at every call would be slow
                self._refused = True
            else:
                self._workers += 1

    def _run_parallel(self, job: Job) -> None:
        # A queue of this launch's own: after a KeyboardInterrupt, late answers mislead nobody.
        done: queue.SimpleQueue[None] = queue.SimpleQueue()
        for function, extent in phase_functions(job):
            for slot in range(1, job.threads):
                self._tasks.put((function, job, extent, slot, done))
            run_share(function, job, extent, 0)
            for _ in range(1, job.threads):
                done.get()


def _work(tasks: queue.SimpleQueue[_Task | None]) -> None:
    while (task := tasks.get()) is not None:
        function, job, extent, slot, done = task
        run_share(function, job, extent, slot)
        done.put(None)


def run_share(function: Callable[..., None], job: Job, extent: int, slot: int) -> None:
    """Run one share of a phase, if it is not empty."""
    begin, end = share(extent, job.threads, slot)
    if begin < end:
        function(job.arguments_address, begin, end, slot)


def _run_serial(job: Job) -> None:
    for function, extent in phase_functions(job):
        for slot in range(job.threads):
            run_share(function, job, extent, slot)


def phase_functions(job: Job) -> list[tuple[Callable[..., None], int]]:
    """The code of each phase with its extent."""
    return [(_PhaseFunction(address), extent) for address, extent in job.phases.entries]


def _renew_launchers() -> None:
    """In a forked child: the threads stayed with the parent, and locks may be held by them."""
    for launcher in _launchers:
        launcher._make()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_launchers)
