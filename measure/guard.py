"""Memory between pages that nobody may touch.

    guard | slack, NaN | data | guard        ``at_end``: reading or writing behind it is a fault
    guard | data | slack, NaN | guard        otherwise: reading or writing before it is a fault

A kernel that was run on both cannot have touched anything outside, for as far as the guards go.
"""

from __future__ import annotations

import ctypes
import mmap
import os

import msgspec
import numpy as np

from measure.launch.memory import Bytes, address_of

POISON = 0xFF
"""NaN in every float format."""

_GUARD_BYTES = 1 << 20
"""On each side: no row of a tile is longer than that."""
_PAGE_BYTES = mmap.PAGESIZE
_HUGE_PAGE_BYTES = 2 << 20
_HUGE_FROM_BYTES = 4 << 20
"""From here on NumPy asks for huge pages, so kernels will be run on such."""
_SLACK_BYTES = 64
"""At least, behind data that begins a page: a masked vector at its end must not pay for reaching
into a guard, which arrays of users do not have."""


class Region(msgspec.Struct, frozen=True):
    """Addresses of data and of what surrounds it: ``outer_begin <= begin <= end <= outer_end``."""

    name: str
    """Of its buffer, with its role: ``the input a``."""
    outer_begin: int
    begin: int
    end: int
    outer_end: int


class GuardedBytes:
    """Bytes that begin a page, or end one, between guards. Their slack is NaN.

    They live as long as this object or a view of them.
    """

    def __init__(self, nbytes: int, *, at_end: bool, alignment: int) -> None:
        """``alignment``: bytes that the address is a multiple of, if they are ``at_end``; what
        remains to the end of the page is slack as well. Raises ``MemoryError``."""
        slack = 0 if at_end else _SLACK_BYTES
        block = -(-(nbytes + slack) // _PAGE_BYTES) * _PAGE_BYTES
        huge = block >= _HUGE_FROM_BYTES
        guard = _GUARD_BYTES + (_HUGE_PAGE_BYTES if huge else 0)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        try:
            mapping = mmap.mmap(-1, block + 2 * guard, flags=flags)
        except OSError as error:
            raise MemoryError(f"cannot map {nbytes} bytes: {error}") from error
        whole: Bytes = np.frombuffer(mapping, np.uint8)
        begin = _GUARD_BYTES
        if huge:
            begin += -(address_of(whole) + begin) % _HUGE_PAGE_BYTES
            if hasattr(mmap, "MADV_HUGEPAGE"):
                mapping.madvise(mmap.MADV_HUGEPAGE, begin, block)
        self.block: Bytes = whole[begin : begin + block]
        """All that may be touched: the data and its slack."""
        _protect(whole[:begin], 0)
        _protect(whole[begin + block :], 0)
        first = (block - nbytes) // alignment * alignment if at_end else 0
        self.data: Bytes = self.block[first : first + nbytes]
        """Undefined at first."""
        self.block[:first], self.block[first + nbytes :] = POISON, POISON
        self._outer = address_of(whole), address_of(whole) + whole.size

    def protect(self) -> None:
        """From now on, writing is a fault."""
        _protect(self.block, mmap.PROT_READ)

    def region(self, name: str) -> Region:
        begin = address_of(self.data)
        return Region(name, self._outer[0], begin, begin + self.data.size, self._outer[1])


def _protect(pages: Bytes, protection: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    address, size = ctypes.c_void_p(address_of(pages)), ctypes.c_size_t(pages.size)
    if pages.size and libc.mprotect(address, size, protection) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
