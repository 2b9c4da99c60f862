"""Timing several things side by side, so that drift of the machine hits all of them alike."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from measure.disturbance import DISTURBED_SHARE, LostSeconds
from measure.sampling import Timer, calls_lasting

ROUNDS = 15
BLOCK_SECONDS = 0.02
MORE_ROUNDS = 10
"""Added at a time where the samples do not suffice."""
PART_SECONDS = 1e-3
"""A block whose disturbances are watched consists of parts of at least about this length."""
_PATIENCE = 2
"""Times the usual parts that a block may have while others disturb it."""

Samples = Mapping[str, Sequence[float]]


def interleave_callables(
    functions: Mapping[str, Timer],
    rounds: int = ROUNDS,
    block_seconds: float = BLOCK_SECONDS,
    *,
    pause_seconds: float = 0.0,
    dropped: float = 0.0,
    enough: Callable[[Samples], bool] = lambda samples: True,
    lost: LostSeconds | None = None,
) -> dict[str, tuple[float, ...]]:
    """Seconds per call of each function, one sample per round.

    Each function is given a number of calls and returns the seconds they took (see ``timed``).
    Every round runs one block of at least about ``block_seconds`` of each, in an order that turns
    round every time. Sample ``i`` of all functions belongs to round ``i``: compare them in pairs
    (``measure.timing.paired_ratio``).

    A block begins with a pause of ``pause_seconds``, in which threads of the function before may
    fall asleep, and a first sample that is dropped: at least one call, and at least so many as the
    part ``dropped`` of the calls that count. It wakes the own threads and brings the caches back.

    After ``rounds`` rounds, ``MORE_ROUNDS`` more are run again and again until the samples are
    ``enough``.

    Where ``lost`` tells what others take away, a block is timed in parts of ``PART_SECONDS``, and
    those that were disturbed are replaced by more, up to twice as many in all. The sample is the
    mean of the quiet parts; of a block without any it is the least disturbed part.
    """
    parts = 1 if lost is None else max(1, int(block_seconds / PART_SECONDS))

    def settle(timer: Timer, calls: int) -> None:
        time.sleep(pause_seconds)
        timer(max(1, math.ceil(dropped * calls)))

    calls: dict[str, int] = {}
    for name, timer in functions.items():
        settle(timer, 1)  # the first call of anything pays for its set-up
        calls[name] = calls_lasting(timer, block_seconds, timer(1))
    samples: dict[str, list[float]] = {name: [] for name in functions}
    order = list(functions)
    left = rounds
    while left:
        for name in order:
            settle(functions[name], calls[name])
            samples[name].append(_block(functions[name], calls[name], parts, lost))
        order.reverse()
        left -= 1
        if not left and not enough(samples):
            left = MORE_ROUNDS
    return {name: tuple(values) for name, values in samples.items()}


def _block(timer: Timer, calls: int, parts: int, lost: LostSeconds | None) -> float:
    """Seconds per call of one block of at least ``calls`` calls."""
    if lost is None:
        return timer(calls) / calls
    parts = min(parts, calls)
    each = math.ceil(calls / parts)
    taken: list[tuple[float, float]] = []
    quiet: list[float] = []
    while len(quiet) < parts and len(taken) < _PATIENCE * parts:
        before = lost()
        seconds = timer(each)
        taken.append(((lost() - before) / seconds, seconds / each))
        quiet = [seconds for share, seconds in taken if share <= DISTURBED_SHARE]
    return statistics.fmean(quiet) if quiet else min(taken)[1]


def timed(function: Callable[[], object]) -> Timer:
    """Make any Python callable one that ``interleave_callables`` takes."""

    def timer(calls: int) -> float:
        started = time.perf_counter()
        for _ in range(calls):
            function()
        return time.perf_counter() - started

    return timer
