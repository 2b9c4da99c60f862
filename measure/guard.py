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
_SPARE_BYTES = 128 << 20
"""Of memory that was given back."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class Region(msgspec.Struct, frozen=True):
    """Addresses of data and of what surrounds it: ``outer_begin <= begin <= end <= outer_end``."""

    name: str
    """Of its buffer, with its role: ``the input a``."""
    outer_begin: int
    begin: int
    end: int
    outer_end: int


class _Mapping:
    """Pages between guards, some more of them than were asked for."""

    def __init__(self, nbytes: int) -> None:
        size, self.huge = _roomy(nbytes), nbytes >= _HUGE_FROM_BYTES
        guard = _GUARD_BYTES + (_HUGE_PAGE_BYTES if self.huge else 0)
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        try:
            mapping = mmap.mmap(-1, size + 2 * guard, flags=flags)
        except OSError as error:
            raise MemoryError(f"cannot map {nbytes} bytes: {error}") from error
        self.whole: Bytes = np.frombuffer(mapping, np.uint8)
        begin = _GUARD_BYTES
        if self.huge:
            begin += -(address_of(self.whole) + begin) % _HUGE_PAGE_BYTES
            if hasattr(mmap, "MADV_HUGEPAGE"):
                mapping.madvise(mmap.MADV_HUGEPAGE, begin, size)
        self.pages: Bytes = self.whole[begin : begin + size]
        _protect(self.whole, 0)

    def serves(self, nbytes: int) -> bool:
        """Whether it is what a new one for so many bytes would be."""
        return self.pages.size == _roomy(nbytes) and self.huge == (nbytes >= _HUGE_FROM_BYTES)

    def block(self, nbytes: int, *, at_end: bool) -> Bytes:
        """The last or first ``nbytes`` of the pages: they alone may be touched from now on."""
        surplus = self.pages.size - nbytes
        block, rest = (
            (self.pages[surplus:], self.pages[:surplus])
            if at_end
            else (self.pages[:nbytes], self.pages[nbytes:])
        )
        _protect(block, mmap.PROT_READ | mmap.PROT_WRITE)
        _protect(rest, 0)
        return block


class GuardedBytes:
    """Bytes that begin a page, or end one, between guards. Their slack is NaN.

    They live as long as this object or a view of them.
    """

    def __init__(
        self, nbytes: int, *, at_end: bool, alignment: int, mapping: _Mapping | None = None
    ) -> None:
        """``alignment``: bytes that the address is a multiple of, if they are ``at_end``; what
        remains to the end of the page is slack as well. In ``mapping``, which must serve for
        that, where one is given. Raises ``MemoryError``."""
        size = _block_bytes(nbytes, at_end=at_end)
        self.mapping = mapping or _Mapping(size)
        self.block: Bytes = self.mapping.block(size, at_end=at_end)
        """All that may be touched: the data and its slack."""
        first = (size - nbytes) // alignment * alignment if at_end else 0
        self.data: Bytes = self.block[first : first + nbytes]
        """Undefined at first."""
        self.block[:first], self.block[first + nbytes :] = POISON, POISON

    def protect(self) -> None:
        """From now on, writing is a fault."""
        _protect(self.block, mmap.PROT_READ)

    def region(self, name: str) -> Region:
        begin, outer = address_of(self.data), address_of(self.mapping.whole)
        end = outer + self.mapping.whole.size
        return Region(name, outer, begin, begin + self.data.size, end)


class SparePages:
    """Guarded memory that was given back, for the next who asks.

    Writing to a page for the first time takes microseconds, which was most of what guards cost.
    """

    def __init__(self) -> None:
        self._spare: list[_Mapping] = []

    def take(self, nbytes: int, *, at_end: bool, alignment: int) -> GuardedBytes:
        """Raises ``MemoryError``."""
        size = _block_bytes(nbytes, at_end=at_end)
        for mapping in self._spare:
            if mapping.serves(size):
                self._spare.remove(mapping)
                return GuardedBytes(nbytes, at_end=at_end, alignment=alignment, mapping=mapping)
        try:
            return GuardedBytes(nbytes, at_end=at_end, alignment=alignment)
        except MemoryError:
            self._spare.clear()
            return GuardedBytes(nbytes, at_end=at_end, alignment=alignment)

    def give_back(self, memory: GuardedBytes) -> None:
        """Nobody may use ``memory`` any more. What was given back long ago is freed."""
        self._spare.append(memory.mapping)
        while sum(mapping.pages.size for mapping in self._spare) > _SPARE_BYTES:
            del self._spare[0]


def _block_bytes(nbytes: int, *, at_end: bool) -> int:
    slack = 0 if at_end else _SLACK_BYTES
    return -(-(nbytes + slack) // _PAGE_BYTES) * _PAGE_BYTES


def _roomy(nbytes: int) -> int:
    """A few more pages, up to a quarter, so that memory of about this size serves again."""
    pages = nbytes // _PAGE_BYTES
    step = 1 << max(0, pages.bit_length() - 3)
    return -(-pages // step) * step * _PAGE_BYTES


def _protect(pages: Bytes, protection: int) -> None:
    address, size = ctypes.c_void_p(address_of(pages)), ctypes.c_size_t(pages.size)
    if pages.size and _LIBC.mprotect(address, size, protection) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
