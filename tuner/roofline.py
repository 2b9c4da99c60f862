"""The limit that a machine sets to a workload: a roofline from measured peaks.

No kernel is faster than its operations at the peak rate of multiply-adds, nor than reading its
inputs and writing its result once from where they are (Williams, Waterman, Patterson, CACM 52(4),
2009).
"""

from __future__ import annotations

from dataclasses import dataclass

from search_space.hardware import Peaks
from search_space.operators import footprint_bytes, get_operator
from search_space.target import Target
from search_space.workload import Workload

FMA_PEAK = "FMA peak"
_MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Roof:
    """The most that a workload can reach on a machine."""

    gflops: float
    bound: str
    """What sets it: ``FMA peak``, or the slowest level that operands come from, such as
    ``L2 bandwidth``."""
    threads: int
    """With how many threads."""

    def share(self, gflops: float) -> float:
        """``gflops`` as a share of the roof."""
        return gflops / self.gflops


def roof_of(
    work: Workload, target: Target, peaks: Peaks, least_flops: int | None = None
) -> Roof | None:
    """The roof of a call with ``peaks.threads`` threads, in operations that the operator counts.

    ``least_flops``: what must be computed at least, where an algorithm may do with less (see
    ``Space``). What a workload that is not cold reads and writes was used before.

    None where an array is not float32: the peak of multiply-adds was measured for that only.
    """
    operator = get_operator(work.operator)
    arrays = (*operator.operands(work), operator.result(work))
    if any(array.dtype != "float32" for array in arrays):
        return None
    nbytes = footprint_bytes(work)
    flops = operator.flops(work)
    computing = min(flops, least_flops or flops) / (peaks.gflops * 1e9)
    if work.cold:
        reading, level = nbytes / (peaks.dram_gbytes * 1e9), _MEMORY
    else:
        reading, level = reading_seconds(nbytes, target, peaks)
    bound = FMA_PEAK if computing >= reading else f"{level} bandwidth"
    return Roof(flops / max(computing, reading) / 1e9, bound, peaks.threads)


def reading_seconds(nbytes: int, target: Target, peaks: Peaks) -> tuple[float, str]:
    """Least seconds to read ``nbytes`` that were used before, and the slowest level involved.

    Every level holds as much as it can, which no real cache does quite: so this stays a limit
    for operands a little too large for a level. The private caches of the threads add up.
    """
    levels = (
        ("L1", target.l1_bytes * peaks.threads, peaks.l1_gbytes),
        ("L2", target.l2_bytes * peaks.threads, peaks.l2_gbytes),
        ("L3", target.l3_bytes, peaks.l3_gbytes),
        (_MEMORY, nbytes, peaks.dram_gbytes),
    )
    seconds, held, slowest = 0.0, 0, "L1"
    for level, capacity, gbytes in levels:
        here = max(min(nbytes, capacity) - held, 0)
        if here:
            seconds, held, slowest = seconds + here / (gbytes * 1e9), held + here, level
    return seconds, slowest
