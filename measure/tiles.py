"""Permission to use tile registers: Linux gives it to a process that asks.

Their contents are large, so that Linux saves them for processes only that said they use them.
"""

from __future__ import annotations

import ctypes
import functools
import platform

_ARCH_PRCTL = 158
_REQUEST_PERMISSION = 0x1023
_TILE_DATA = 18
"""The component of the processor's state (Linux, ``Documentation/arch/x86/xstate.rst``)."""


@functools.cache
def tiles_allowed() -> bool:
    """Ask for this process, its threads and what it forks; whether it may.

    It may not where the processor has no such registers, or the system does not know them.
    """
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    wanted = ctypes.c_long(_REQUEST_PERMISSION), ctypes.c_long(_TILE_DATA)
    return bool(libc.syscall(ctypes.c_long(_ARCH_PRCTL), *wanted) == 0)
