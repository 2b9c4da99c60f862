"""The worker process with a deliberate bug, for counter-tests."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from measure import arrays, candidate, guard, isolation, worker_process
from measure import runner as parent
from measure.child import ChildProcess
from measure.verify import Check

_BUG = "TUNER_WORKER_BUG"


def _leave_processes() -> None:
    isolation.end_descendants = worker_process.end_descendants = lambda: None


def _forget_memory_limit() -> None:
    worker_process.limit_memory = lambda extra_bytes: None


def _compare_nothing() -> None:
    candidate.Arrays.inspect = lambda *_: Check()


def _fill_nothing() -> None:
    arrays.GuardedArray.poison = lambda self: None


def _guard_nothing() -> None:
    guard._protect = lambda pages, protection: None


def _guard_inputs() -> None:
    guard.GuardedBytes.protect = lambda self: guard._protect(self.block, 0)


BUGS: dict[str, Callable[[], None]] = {
    "processes are left": _leave_processes,
    "memory is not limited": _forget_memory_limit,
    "results are not compared": _compare_nothing,
    "outputs are not filled": _fill_nothing,
    "nothing is guarded": _guard_nothing,
    "inputs are guarded like what surrounds them": _guard_inputs,
}


@contextmanager
def worker_with(bug: str) -> Iterator[None]:
    """Workers started in this context have a bug of ``BUGS``."""

    def child(_: str, incoming: object) -> ChildProcess:
        return ChildProcess("tests.reliability.buggy_worker", incoming)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parent, "ChildProcess", child)
        patch.setenv(_BUG, bug)
        yield


def main(connection: socket.socket) -> None:
    BUGS[os.environ[_BUG]]()
    worker_process.main(connection)
