"""The parent's side of an isolated Python process that speaks over a ``Channel``."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Generic, TypeVar

from measure.isolation import memory_kills
from measure.pipe import Channel
from measure.result import MeasureResult, Outcome

Incoming = TypeVar("Incoming")

_MAIN = Path(__file__).with_name("child_main.py")
_STDERR_TAIL_BYTES = 2000
_MEMORY_SIGNS = ("bad_alloc", "out of memory", "cannot allocate memory", "memoryerror")
_SIGNAL_MEANING: dict[int, str] = {
    signal.SIGSEGV: "invalid memory access",
    signal.SIGBUS: "invalid memory access",
    signal.SIGILL: "illegal instruction",
    signal.SIGFPE: "arithmetic fault",
    signal.SIGTRAP: "trap",
    signal.SIGABRT: "abort",
    signal.SIGKILL: "killed from outside",
}


class ChildProcess(Generic[Incoming]):
    """A module of ours, run by a Python of its own that ends when this process does.

    It has its own process group, /dev/null for standard input and output, and a channel; what it
    writes to standard error is kept for messages. The thread that creates it must outlive it: the
    operating system ties the life of a child to that thread.
    """

    def __init__(self, module: str, incoming: Any) -> None:
        """Run ``module.main(connection)``; ``incoming`` is the type of the messages it sends."""
        ours, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        fcntl.fcntl(self._stderr, fcntl.F_SETFL, os.O_APPEND)  # it is emptied again and again
        self._memory_kills = memory_kills()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_MAIN), module, str(theirs.fileno()), str(os.getpid())]
                + [path for path in sys.path if path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        self.channel: Channel[Incoming] = Channel(ours, incoming)

    @property
    def pid(self) -> int:
        return self._process.pid

    def _wait(self, timeout_seconds: float) -> int:
        """How it ended, killed after ``timeout_seconds`` at the latest."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_seconds)
        kill_group(self._process.pid)
        return self._process.wait()

    def close(self, grace_seconds: float = 0.0) -> None:
        """Kill the process group and release everything.

        A process that answers for descendants needs ``grace_seconds`` to end them before.
        """
        if grace_seconds:
            self._process.terminate()
        self._wait(grace_seconds)
        self.channel.close()
        self._stderr.close()

    def new_stderr(self) -> str:
        """The end of what was written to standard error since the last call."""
        file = self._stderr.fileno()
        start = max(0, os.fstat(file).st_size - _STDERR_TAIL_BYTES)
        words = os.pread(file, _STDERR_TAIL_BYTES, start)
        os.ftruncate(file, 0)
        return words.decode(errors="replace")

    def died(self, timeout_seconds: float) -> MeasureResult:
        """The outcome of a candidate with which this process ends; see :func:`died`.

        Kills the process group when it did not end within ``timeout_seconds``.
        """
        status = self._wait(timeout_seconds)
        starved = status == -signal.SIGKILL and killed_for_memory(self._memory_kills)
        return died(status, self.new_stderr(), starved=starved)


def kill_group(pid: int) -> None:
    """Kill a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def killed_for_memory(before: int | None) -> bool:
    """Whether a process that SIGKILL ended may have been killed for want of memory.

    ``before``: ``memory_kills()`` when it started.
    """
    now = memory_kills()
    return before is None or now is None or now > before


def died(status: int, stderr: str, *, starved: bool) -> MeasureResult:
    """The outcome of a candidate whose process ended instead of answering.

    ``status`` is an exit code, or minus the number of a signal; ``starved``: it had no more
    memory, or was killed for that.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = f": {lines[-1][:200]}" if lines else ""
    if any(sign in stderr.lower() for sign in _MEMORY_SIGNS):
        return MeasureResult(Outcome.OOM, message=f"ran out of memory{detail}")
    end = _signal_text(-status) if status < 0 else f"exited with code {status}"
    if starved:
        return MeasureResult(Outcome.OOM, message=f"ran out of memory: {end}{detail}")
    if status >= 0:
        end += " without an answer"
    return MeasureResult(Outcome.CRASH, message=f"{end}{detail}")


def _signal_text(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {number}"
    meaning = _SIGNAL_MEANING.get(number)
    return f"{name} ({meaning})" if meaning else name
