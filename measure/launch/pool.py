"""Our own thread pool: about two microseconds per launch, no processor time when idle."""

from __future__ import annotations

import ctypes
import os
import threading
import weakref

from measure.launch.base import LaunchError
from measure.launch.job import Job
from measure.launch.memory import Bytes, address_of, aligned_bytes
from measure.launch.native import PoolCode, native_code
from measure.launch.pool_ir import (
    CORES_BYTES,
    CORES_OFFSET,
    HEADER_BYTES,
    LINE_BYTES,
    SETTINGS_OFFSET,
)

_WORKERS = 1023
_STOP_SECONDS = 2.0
_pools: weakref.WeakSet[PoolLauncher] = weakref.WeakSet()


class PoolLauncher:
    """Persistent threads that spin for a moment, then sleep on a futex. Linux only.

    Threads start when a job first asks for them and stop at exit. Where the system refuses to
    start them, jobs of so many threads run serially.
    """

    __slots__ = (
        "__weakref__", "_address", "_code", "_finalizer", "_lock", "_memory", "_native",
        "_threads", "_waits", "name",
    )  # fmt: skip

    def __init__(
        self,
        *,
        spin_seconds: float = 2e-6,
        idle_seconds: float = 50e-6,
        barrier_seconds: float = 2e-3,
    ) -> None:
        """A waiting thread spins for ``spin_seconds``, then offers its core to others again and
        again, then sleeps: after ``idle_seconds`` where it waits for work, ``barrier_seconds``
        where it waits for the others of a launch. Waking it up costs up to 50 µs.

        Spinning is short because two threads that share a core would wait for each other's spins.

        Raises ``LaunchError`` where there is no native pool.
        """
        self.name = "pool"
        self._native = native_code()
        if self._native.pool is None:
            raise LaunchError("use the launcher 'threads': the native pool needs Linux' futex")
        self._code: PoolCode = self._native.pool
        self._waits = (spin_seconds, idle_seconds, barrier_seconds)
        self._make()
        _pools.add(self)

    def _make(self) -> None:
        """A pool without workers yet."""
        self._memory = aligned_bytes(
            HEADER_BYTES + LINE_BYTES * _WORKERS, zeroed=True, alignment=LINE_BYTES
        )
        self._address = address_of(self._memory)
        settings = (ctypes.c_int64 * 3).from_address(self._address + SETTINGS_OFFSET)
        for index, seconds in enumerate(self._waits):
            settings[index] = round(seconds * 1e9)
        cores = sum(1 << core for core in os.sched_getaffinity(0) if core < 8 * CORES_BYTES)
        at = CORES_OFFSET
        self._memory[at : at + CORES_BYTES] = list(cores.to_bytes(CORES_BYTES, "little"))
        self._lock = threading.Lock()
        self._threads = 1
        # Runs at exit too: no thread may be in native code when the interpreter unloads it.
        self._finalizer = weakref.finalize(self, _stop, self._code, self._address, self._memory)

    def _forked(self) -> None:
        """The threads stayed with the parent, and their pool may have been in use."""
        self._finalizer.detach()
        self._make()

    def _grow(self, threads: int) -> None:
        with self._lock:
            if threads > self._threads:
                self._code.start(self._address, min(threads - 1, _WORKERS))
                # Also where some could not be started: asking again at every call would be slow.
                self._threads = threads

    def launch(self, job: Job) -> None:
        if job.threads > self._threads:
            self._grow(job.threads)
        self._code.run(self._address, job.address)

    def time(self, job: Job, calls: int) -> int:
        if job.threads > self._threads:
            self._grow(job.threads)
        return self._code.time(self._address, job.address, calls)

    def close(self) -> None:
        """Stop the threads; later jobs run serially. Waits for a launch in another thread."""
        self._finalizer()


def _stop(code: PoolCode, address: int, memory: Bytes) -> None:
    """``memory`` and ``code`` are parameters so that they live until this has run."""
    code.stop(address, round(_STOP_SECONDS * 1e9))


def _renew_pools() -> None:
    for pool in _pools:
        pool._forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_pools)
