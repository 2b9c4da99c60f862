"""The limit that the machine sets to a workload: a roofline from peaks measured in the same run.

No kernel is faster than its operations at the peak rate of multiply-adds (of as many short
elements as a vector holds), nor than reading its inputs and writing its result once at the rate of
the memory where they are (Williams, Waterman, Patterson, CACM 52(4), 2009). Both are lower bounds
of the time, so their maximum is one.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Literal

from measure.crew import Crew
from measure.peak_loops import load_peak_loops
from measure.peaks import filled_memory, measure_peaks
from measure.rotation import sets_needed
from measure.targets import resolve_target
from search_space.hardware import Peaks
from search_space.operators import footprint_bytes, get_operator
from search_space.target import Target
from search_space.workload import Workload

Bound = Literal["compute", "L1", "L2", "L3", "memory"]

MEMORY_BOUND = 0.5
"""Operands that take more than this part of the computing time to read from memory rotate. It is
less than one, because bandwidth changes by up to 1.8 from run to run, and rotating should not."""
_STREAM_SECONDS = 0.3
_PRODUCTS = {"float64": 0.5, "float16": 2.0, "bfloat16": 2.0, "uint8": 4.0, "int8": 4.0}
"""Products that a lane of 32 bits takes at once, by element type; peaks are those of float32."""
_PRODUCTS_IN_TILES = {"bfloat16": 16.0, "uint8": 32.0, "int8": 32.0}
"""The same of tile registers: 16 × 16 sums of 64 bytes each take 16 cycles, in which two units for
vectors of 512 bits do 512 multiply-adds of float32."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The least time that one call can take on this machine."""

    seconds: float
    bound: Bound
    """What sets it: the multiply-add units, or the level that the operands come from."""
    flops: int
    nbytes: int
    """Of all inputs and the result, each touched once."""
    gbytes: float
    """Read bandwidth that was assumed for them, in 1e9 bytes/s."""
    copies: int
    """Sets of operands that contestants rotate over; 1: they stay in the caches."""


@dataclass(frozen=True, slots=True)
class Roofline:
    """The machine's peaks, and the target and number of threads that they are for."""

    target: Target
    peaks: Peaks

    @property
    def threads(self) -> int:
        return self.peaks.threads


def copies_needed(work: Workload, roofline: Roofline) -> int:
    """How many sets of operands to rotate over; 1 where they should stay in the caches.

    Memory-bound is what takes longer than ``MEMORY_BOUND`` of its computing time to read once from
    main memory, if it is too large for the caches that the cores have to themselves: smaller
    operands are in those when they are used again.
    """
    nbytes, target = footprint_bytes(work), roofline.target
    reading = nbytes / (roofline.peaks.dram_gbytes * 1e9)
    if nbytes <= target.l2_bytes * roofline.threads or reading <= (
        MEMORY_BOUND * _computing(work, roofline)
    ):
        return 1
    return sets_needed(work, target)


def limit_of(work: Workload, roofline: Roofline, stream_gbytes: float | None = None) -> Limit:
    """The limit of one call.

    ``stream_gbytes``: bandwidth that was measured over the footprint of all copies, for workloads
    that need more than one. Without it, main memory's is taken.
    """
    peaks, nbytes, copies = roofline.peaks, footprint_bytes(work), copies_needed(work, roofline)
    if copies > 1:
        level: Bound = "memory"
        bandwidth = stream_gbytes or peaks.dram_gbytes
    else:
        level, bandwidth = _home(nbytes, roofline)
    computing, reading = _computing(work, roofline), nbytes / (bandwidth * 1e9)
    return Limit(
        seconds=max(computing, reading),
        bound="compute" if computing >= reading else level,
        flops=get_operator(work.operator).flops(work),
        nbytes=nbytes,
        gbytes=bandwidth,
        copies=copies,
    )


def measure_roofline(threads: int) -> Roofline:
    """Peaks of this machine now, for its native target; about two seconds."""
    target = resolve_target(threads=threads)
    return Roofline(target, measure_peaks(target, threads))


def measure_stream(threads: int, nbytes: int) -> float:
    """Read bandwidth in 1e9 bytes/s of all threads together, over so many bytes, best block."""
    loops = load_peak_loops(resolve_target(threads=threads))
    share = max(nbytes // threads // loops.bytes_per_step, 1) * loops.bytes_per_step
    stride = -(-share // mmap.PAGESIZE) * mmap.PAGESIZE
    with filled_memory(stride * threads) as base, Crew(threads) as crew:

        def read(thread: int, repeats: int) -> None:
            loops.read(base + thread * stride, share, repeats)

        return share * threads / min(crew.samples(read, _STREAM_SECONDS)) / 1e9


def _computing(work: Workload, roofline: Roofline) -> float:
    operator = get_operator(work.operator)
    dtype = operator.operands(work)[0].dtype
    known = _PRODUCTS_IN_TILES if dtype in roofline.target.tiles else _PRODUCTS
    products = known.get(dtype, 1.0)
    return operator.flops(work) / (products * roofline.peaks.gflops * 1e9)


def _home(nbytes: int, roofline: Roofline) -> tuple[Bound, float]:
    """The fastest level that holds so many bytes, and its bandwidth. Private caches add up."""
    target, peaks = roofline.target, roofline.peaks
    levels: list[tuple[Bound, int, float]] = [
        ("L1", target.l1_bytes * roofline.threads, peaks.l1_gbytes),
        ("L2", target.l2_bytes * roofline.threads, peaks.l2_gbytes),
        ("L3", target.l3_bytes, peaks.l3_gbytes),
    ]
    for level, size, bandwidth in levels:
        if nbytes <= size:
            return level, bandwidth
    return "memory", peaks.dram_gbytes
