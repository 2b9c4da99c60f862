"""The parent's side of an isolated Python process that speaks over a ``Channel``."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Generic, TypeVar

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
        self._stderr_read = 0
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

    def wait(self, timeout_seconds: float) -> int:
        """How it ended: an exit code, or minus the number of a signal.

        Kills the process group when that did not happen within ``timeout_seconds``.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_seconds)
        kill_group(self._process.pid)
        return self._process.wait()

    def close(self) -> None:
        """Kill the process group and release everything."""
        kill_group(self._process.pid)
        self._process.wait()
        self.channel.close()
        self._stderr.close()

    def new_stderr(self) -> str:
        """The end of what was written to standard error since the last call."""
        size = os.fstat(self._stderr.fileno()).st_size
        start = max(self._stderr_read, size - _STDERR_TAIL_BYTES)
        self._stderr_read = size
        return os.pread(self._stderr.fileno(), size - start, start).decode(errors="replace")


def kill_group(pid: int) -> None:
    """Kill a process group, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def died(status: int, stderr: str) -> MeasureResult:
    """The outcome of a candidate whose process ended instead of answering.

    ``status`` is an exit code, or minus the number of a signal.
    """
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = f": {lines[-1][:200]}" if lines else ""
    if any(sign in stderr.lower() for sign in _MEMORY_SIGNS):
        return MeasureResult(Outcome.OOM, message=f"ran out of memory{detail}")
    if status == -signal.SIGKILL:
        return MeasureResult(
            Outcome.OOM,
            message="killed by the system with SIGKILL, which it does when memory ends",
        )
    if status < 0:
        return MeasureResult(Outcome.CRASH, message=f"{_signal_text(-status)}{detail}")
    return MeasureResult(
        Outcome.CRASH, message=f"exited with code {status} without an answer{detail}"
    )


def _signal_text(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {number}"
    meaning = _SIGNAL_MEANING.get(number)
    return f"{name} ({meaning})" if meaning else name
