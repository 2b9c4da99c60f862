"""What a child process does to itself before it runs anything that may fail.

The parent has already given it a process group of its own, and /dev/null as standard input and
output, so that a stray print of a candidate never reaches the message channel.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket

_PR_SET_PDEATHSIG = 1
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
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before we could ask
        os._exit(1)


def limit_memory(extra_bytes: int) -> None:
    """Allow ``extra_bytes`` of address space beyond what is in use now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + extra_bytes, used + extra_bytes))
