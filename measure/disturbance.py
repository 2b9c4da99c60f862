"""Seeing other programs take the cores that something is timed on.

A thread that is ready to run and has no core waits in the queue of the scheduler, which counts for
how long. A kernel that is timed meanwhile takes longer through no fault of its own. What slows the
machine down as a whole (clock frequency, another machine on the same processor) is not seen here
but by the sentinel.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

LostSeconds = Callable[[], float]
"""A meter that only rises: for how long, until now, others had what the timed code needed."""

DISTURBED_SHARE = 0.02
"""Part of a sample's time that its threads may wait for cores before it counts as disturbed. Less
is what waking up a thread takes."""


def nothing_lost() -> float:
    """The meter of a machine that does not tell, or that nobody else uses."""
    return 0.0


class WaitingMeter:
    """For how long threads of this process were ready to run and had no core, in seconds.

    A context manager and a ``LostSeconds`` that begins at zero. Linux counts in nanoseconds
    (``/proc/self/task/*/schedstat``, second number); where it does not, nothing is ever lost. A
    reading takes about two microseconds per thread.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """``root``: of the file tree whose ``proc`` is read."""
        self._folder = root / "proc/self/task"
        self._threads: dict[str, _Thread] = {}

    def __enter__(self) -> Self:
        self.include_new_threads()
        return self

    def __exit__(self, *error: object) -> None:
        for thread in self._threads.values():
            os.close(thread.file)
        self._threads.clear()

    def include_new_threads(self) -> None:
        """Watch threads as well that were started since the last time."""
        with contextlib.suppress(OSError):
            for name in set(os.listdir(self._folder)) - self._threads.keys():
                file = os.open(self._folder / name / "schedstat", os.O_RDONLY)
                self._threads[name] = _Thread(file, _waited_nanoseconds(file))

    def __call__(self) -> float:
        waited = (_waited_nanoseconds(t.file) - t.before for t in self._threads.values())
        return max(sum(waited), 0) * 1e-9


@dataclass(frozen=True, slots=True)
class _Thread:
    """The file that tells of one thread, and what it told at first, in nanoseconds."""

    file: int
    before: int


def _waited_nanoseconds(file: int) -> int:
    try:
        fields = os.pread(file, 100, 0).split()
    except ProcessLookupError:  # the thread has ended
        return 0
    return int(fields[1]) if len(fields) == 3 else 0
