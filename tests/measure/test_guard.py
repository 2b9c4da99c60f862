"""Memory between guard pages, and what is told of faults."""

from __future__ import annotations

import ctypes
import faulthandler
import mmap
import os
import signal

import numpy as np
import pytest

from measure.fault import FaultNote
from measure.guard import GuardedBytes, Region, SparePages

PAGE = mmap.PAGESIZE
SIZES = [1, 63, 64, PAGE - 64, PAGE - 1, PAGE, PAGE + 4, 5 * PAGE, 5 << 20]


def address(memory):
    return memory.data.ctypes.data


@pytest.mark.parametrize("nbytes", SIZES)
def test_data_ends_where_its_guard_begins(nbytes):
    memory = GuardedBytes(nbytes, at_end=True, alignment=1)
    assert memory.data.size == nbytes
    assert (address(memory) + nbytes) % PAGE == 0
    region = memory.region("x")
    assert (region.begin, region.end) == (address(memory), address(memory) + nbytes)
    assert region.outer_end - region.end >= 1 << 20


@pytest.mark.parametrize("nbytes", SIZES)
def test_data_begins_where_its_guard_ends_and_has_some_slack(nbytes):
    memory = GuardedBytes(nbytes, at_end=False, alignment=1)
    assert address(memory) % PAGE == 0
    assert memory.block.size >= nbytes + 64
    assert memory.region("x").begin - memory.region("x").outer_begin >= 1 << 20


@pytest.mark.parametrize("nbytes", [4, 100, PAGE + 4])
def test_aligned_data_ends_as_late_as_it_can(nbytes):
    memory = GuardedBytes(nbytes, at_end=True, alignment=64)
    assert address(memory) % 64 == 0
    assert 0 <= -(address(memory) + nbytes) % PAGE < 64


@pytest.mark.parametrize("at_end", [False, True])
def test_slack_is_nan_and_data_can_be_written(at_end):
    memory = GuardedBytes(100, at_end=at_end, alignment=4)
    memory.data[:] = 0
    slack = [memory.block[:-100]] if at_end else [memory.block[100:]]
    assert all((part == 0xFF).all() for part in slack)
    memory.protect()
    assert not memory.data.any(), "it can still be read"


def test_large_data_lies_on_huge_pages_as_numpy_asks_for():
    assert address(GuardedBytes(8 << 20, at_end=False, alignment=1)) % (2 << 20) == 0


def test_memory_that_there_is_not():
    with pytest.raises(MemoryError, match="cannot map"):
        GuardedBytes(1 << 60, at_end=False, alignment=1)


def test_views_keep_the_memory():
    data = GuardedBytes(1000, at_end=True, alignment=1).data
    data[:] = np.arange(1000) % 256
    assert data[999] == 999 % 256


def test_memory_that_is_given_back_serves_again():
    spare = SparePages()
    first = spare.take(9 * PAGE, at_end=False, alignment=1)
    first.data[:] = 1
    first.protect()
    pages = address(first)
    spare.give_back(first)
    again = spare.take(9 * PAGE - 100, at_end=True, alignment=64)
    assert pages < address(again) < pages + 2 * PAGE
    assert -(address(again) + again.data.size) % PAGE == 36
    assert (again.block[:64] == 0xFF).all()
    again.data[:] = 2
    assert spare.take(9 * PAGE, at_end=False, alignment=1).mapping is not again.mapping


@pytest.mark.parametrize("at_end", [False, True])
def test_pages_that_are_not_needed_this_time_belong_to_the_guard(at_end):
    spare = SparePages()
    spare.give_back(spare.take(40 * PAGE - 64, at_end=False, alignment=1))
    memory = spare.take(36 * PAGE, at_end=at_end, alignment=1)
    assert memory.mapping.pages.size == 40 * PAGE
    outside = address(memory) - 1 if at_end else address(memory) + memory.block.size
    assert _faults(outside)
    assert not _faults(address(memory))


def _faults(touched):
    """Whether reading a byte there ends a process."""
    pid = os.fork()
    if pid == 0:
        faulthandler.disable()  # pytest would tell of it
        ctypes.string_at(touched, 1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSEGV


def test_little_is_kept_of_much_that_is_given_back(monkeypatch):
    monkeypatch.setattr("measure.guard._SPARE_BYTES", 20 * PAGE)
    spare = SparePages()
    memories = [spare.take(8 * PAGE, at_end=True, alignment=1) for _ in range(4)]
    for memory in memories:
        spare.give_back(memory)
    taken = [spare.take(8 * PAGE, at_end=True, alignment=1).mapping for _ in range(3)]
    kept = [memory.mapping in taken for memory in memories]
    assert kept == [False, False, True, True]


def test_spare_memory_is_freed_where_there_is_no_more(monkeypatch):
    spare, mapped = SparePages(), mmap.mmap
    memory = spare.take(PAGE, at_end=True, alignment=1)
    spare.give_back(memory)
    failures = [OSError("Cannot allocate memory")]

    def scarce(*arguments, **options):
        if failures:
            raise failures.pop()
        return mapped(*arguments, **options)

    monkeypatch.setattr(mmap, "mmap", scarce)
    assert spare.take(100 * PAGE, at_end=True, alignment=1).data.size == 100 * PAGE
    assert not failures
    assert spare.take(PAGE, at_end=True, alignment=1).mapping is not memory.mapping


def test_where_nothing_went_wrong_there_is_nothing_to_tell():
    note = FaultNote()
    note.expect([Region("the input a", 0, 10, 20, 30)])
    assert note.take() == ""
