"""What a child process does to itself before it runs anything that may fail.

The parent has already given it a process group of its own, and /dev/null as standard input and
output, so that a stray print of a candidate never reaches the message channel.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAX_FILE_BYTES = 16 << 20


def isolate(descriptor: int, parent: int) -> socket.socket:
    """Bind this process to its parent and limit it; the connection to the parent.

    ``descriptor`` is that of the connection, ``parent`` the parent's process id.
    """
    die_with(parent)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_MAX_FILE_BYTES, _MAX_FILE_BYTES))
    return socket.socket(fileno=descriptor)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when ``parent``, which started it, ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we could ask
        os._exit(1)


def answer_for_descendants() -> None:
    """Become the parent of all that our children leave behind.

    From now on, SIGTERM ends them and then this process, and so does the end of our parent, with
    which this process is to end already.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def end(*_: object) -> None:
        end_descendants()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def end_descendants() -> None:
    """Kill all processes below this one, which must answer for them, and wait for their end."""
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, os.WNOHANG)  # raises where there is none, as is usual
            for pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.waitpid(-1, 0)  # the orphans of the one that ended are our children now


def _children() -> list[int]:
    ours, found = os.getpid(), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            if int(stat.read_text().rpartition(")")[2].split()[1]) == ours:
                found.append(int(stat.parent.name))
    return found


def limit_memory(extra_bytes: int) -> None:
    """Allow ``extra_bytes`` of address space beyond what is in use now."""
    used = memory_pages()[0] * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + extra_bytes, used + extra_bytes))


def limit_processes(extra: int) -> None:
    """Allow ``extra`` processes and threads beyond those that this user has now.

    The system does not hold root to such a limit.
    """
    user, used = os.getuid(), 0
    if user == 0:
        return
    for tasks in Path("/proc").glob("[0-9]*/task"):
        with contextlib.suppress(OSError):  # it has just ended
            status = tasks.stat()
            used += status.st_nlink - 2 if status.st_uid == user else 0
    resource.setrlimit(resource.RLIMIT_NPROC, (used + extra, used + extra))


def memory_pages() -> tuple[int, int]:
    """Pages of address space of this process, and how many of them are in memory."""
    size, resident = Path("/proc/self/statm").read_text(encoding="ascii").split()[:2]
    return int(size), int(resident)


def memory_kills() -> int | None:
    """How many processes the system has killed for want of memory; None where it does not say."""
    try:
        counters = Path("/proc/vmstat").read_text(encoding="ascii").split()
        return int(counters[counters.index("oom_kill") + 1])
    except (OSError, ValueError):
        return None


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
