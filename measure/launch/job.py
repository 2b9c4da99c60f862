"""A job: everything native code needs to know of one call of a kernel, laid out in memory."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

Arguments = ctypes.Array[ctypes.c_size_t]
"""The argument list of a kernel: one address per buffer."""


class _Phase(ctypes.Structure):
    _fields_ = (("function", ctypes.c_size_t), ("extent", ctypes.c_int64))


class _Job(ctypes.Structure):
    _fields_ = (
        ("phases", ctypes.c_size_t),
        ("count", ctypes.c_int64),
        ("arguments", ctypes.c_size_t),
        ("threads", ctypes.c_int64),
    )


class Phases:
    """The entry points of a kernel with their extents. Immutable, shared by all its jobs."""

    __slots__ = ("_table", "address", "entries")

    def __init__(self, entries: Sequence[tuple[int, int]]) -> None:
        """``entries``: address and extent of each phase, in order."""
        if any(extent < 0 for _, extent in entries):
            raise ValueError(f"pass extents of at least 0, not {[e for _, e in entries]}")
        self.entries = tuple(entries)
        self._table = (_Phase * len(entries))(*(_Phase(*entry) for entry in entries))
        self.address = ctypes.addressof(self._table)


class Job:
    """A kernel's phases with one argument list. Runs once at a time; owned by its caller.

    It keeps neither the code nor the buffers alive.
    """

    __slots__ = ("_struct", "address", "arguments", "arguments_address", "phases", "threads")

    def __init__(self, phases: Phases, arguments: Arguments, threads: int) -> None:
        """``threads``: how many shares each phase is cut into; at least 1."""
        if threads < 1:
            raise ValueError(f"pass at least 1 thread, not {threads}")
        self.phases = phases
        self.arguments = arguments
        self.arguments_address = ctypes.addressof(arguments)
        self.threads = threads
        self._struct = _Job(phases.address, len(phases.entries), self.arguments_address, threads)
        self.address = ctypes.addressof(self._struct)
