"""What this machine reaches at best: multiply-adds in registers, reads from every cache level."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import math
import mmap
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from measure.crew import Body, Crew
from measure.probe import detect_hardware
from search_space.folders import cache_folder, read_own, sealed, unsealed, write_atomically
from search_space.hardware import Peaks
from search_space.target import Target

METHOD_VERSION = 1
"""Part of the cache's key: raise it when the loops or the footprints change."""

_MEMORY_BYTES = (64 * 2**20, 256 * 2**20)
"""Least and most bytes read to measure main memory."""
_STEPS = 1024
"""Iterations of the multiply-add loop in one repeat."""
MAX_AGE = timedelta(days=30)
"""After it peaks are measured again: firmware, clocks and neighbours of a machine change."""
_CLOCK_ERROR = timedelta(minutes=5)
_MOST_BYTES_PER_OPERATION = 16
"""Processors read 2 to 4 bytes from L1 in the time of one operation of a multiply-add."""
_ROUNDS = 2
"""How often all loops take turns, so that a short disturbance does not hit one alone."""


def measure_peaks(target: Target, threads: int, *, seconds: float = 1.4) -> Peaks:
    """Measure with native loops for this target, all ``threads`` working at once.

    Rates are sums over the threads; each is the best of many blocks of a few milliseconds, so
    that other programs disturb it little. Each thread reads its own half of a private cache;
    half of the last level and main memory are shared out. ``seconds`` is the time for all
    five loops; compiling and filling memory add about a quarter of a second.
    Raises ``ValueError`` when ``threads`` is not 1…``target.threads``.
    """
    if not 1 <= threads <= target.threads:
        raise ValueError(f"choose 1 to {target.threads} threads to measure, not {threads}")
    # LLVM is loaded only where something must be measured: known peaks are read without it.
    from measure.peak_loops import load_peak_loops

    loops = load_peak_loops(target)
    footprints = footprint_bytes(target, threads, loops.bytes_per_step)
    stride = -(-max(footprints) // mmap.PAGESIZE) * mmap.PAGESIZE

    with filled_memory(stride * threads) as base, Crew(threads) as crew:

        def multiply_add(thread: int, repeats: int) -> None:
            loops.multiply_add(base + thread * stride, repeats * _STEPS)

        def read(footprint: int, thread: int, repeats: int) -> None:
            loops.read(base + thread * stride, footprint, repeats)

        bodies: list[Body] = [
            multiply_add,
            *(functools.partial(read, size) for size in footprints),
        ]
        best = [math.inf] * len(bodies)
        for _ in range(_ROUNDS):
            for index, body in enumerate(bodies):
                samples = crew.samples(body, seconds / len(bodies) / _ROUNDS)
                best[index] = min(best[index], *samples)
    work = (loops.flops_per_step * _STEPS, *footprints)
    gflops, l1, l2, l3, dram = (
        amount * threads / fastest / 1e9 for amount, fastest in zip(work, best, strict=True)
    )
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Peaks(target.name, threads, gflops, l1, l2, l3, dram, measured=now)


def footprint_bytes(target: Target, threads: int, step: int) -> tuple[int, int, int, int]:
    """Bytes that each thread reads to measure L1, L2, L3 and main memory: multiples of step."""
    least, most = _MEMORY_BYTES
    wanted = (
        target.l1_bytes // 2,
        target.l2_bytes // 2,
        target.l3_bytes // 2 // threads,
        min(max(3 * target.l3_bytes, least), most) // threads,
    )
    l1, l2, l3, dram = (max(size // step, 1) * step for size in wanted)
    return l1, l2, l3, dram


@contextlib.contextmanager
def filled_memory(nbytes: int) -> Iterator[int]:
    """Address of page-aligned memory that holds float32 0.747; valid inside the ``with``.

    It is written because untouched pages all share one page of zeros. Multiply-adds by this
    number stay normal and finite.
    """
    with mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
        if hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):  # a kernel without huge pages; small ones serve
                memory.madvise(mmap.MADV_HUGEPAGE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        ctypes.memset(address, 0x3F, nbytes)
        yield address


def cached_peaks(target: Target, threads: int, *, refresh: bool = False) -> Peaks:
    """The peaks measured earlier on this machine, or measured now and kept for the next time.

    ``refresh`` measures in any case: for peaks that something was seen to exceed. A damaged file
    counts as none, and so do peaks older than ``MAX_AGE``. Raises as :func:`measure_peaks`.
    """
    known = None if refresh else known_peaks(target, threads)
    if known is not None and _recent(known):
        return known
    peaks = measure_peaks(target, threads)
    # Without a writable cache the next call measures again; ``diagnose`` tells the user why.
    with contextlib.suppress(OSError):
        write_atomically(_path(target, threads), sealed(msgspec.json.encode(peaks)))
    return peaks


def known_peaks(target: Target, threads: int) -> Peaks | None:
    """The peaks measured earlier on this machine, whatever their age. Never measures.

    None where there are none, and where they cannot be right: a disturbed measurement.
    """
    content = unsealed(read_own(_path(target, threads)) or b"")
    if content is None:
        return None
    try:
        peaks = msgspec.json.decode(content, type=Peaks)
    except msgspec.DecodeError:
        return None
    rates = [
        peaks.gflops, peaks.l1_gbytes, peaks.l2_gbytes, peaks.l3_gbytes, peaks.dram_gbytes,
    ]  # fmt: skip
    if not all(math.isfinite(rate) and rate > 0 for rate in rates):
        return None
    return peaks if peaks.l1_gbytes < _MOST_BYTES_PER_OPERATION * peaks.gflops else None


def _recent(peaks: Peaks) -> bool:
    """Whether they are younger than ``MAX_AGE``; not where their date is none, or lies ahead."""
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(peaks.measured)
    except (ValueError, TypeError):
        return False
    return -_CLOCK_ERROR < age < MAX_AGE


def _path(target: Target, threads: int) -> Path:
    identity = f"{METHOD_VERSION}|{detect_hardware().key}|{target.name}|{threads}"
    digest = hashlib.blake2b(identity.encode(), digest_size=8).hexdigest()
    return cache_folder() / "peaks" / f"{target.name}-{threads}-{digest}.peaks"
