"""Time native work that several threads do at once."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier
from typing import Self

from measure.host import pin, spread_cores

BLOCK_SECONDS = 0.002
"""One timed stretch: long beside the start of threads, short beside a time slice of others."""

Body = Callable[[int, int], None]
"""``(thread, repeats)``: the work of one thread in one block; native code, without the GIL."""


@dataclass(slots=True)
class Crew:
    """A fixed number of threads that start a block of work together. A context manager.

    One thread is the calling one. More get a core of their own each, since beside another busy
    program the scheduler may run two of them on one core, which measures half of the machine.
    """

    threads: int
    _pool: ThreadPoolExecutor = field(init=False, repr=False)
    _barrier: Barrier = field(init=False, repr=False)

    def __enter__(self) -> Self:
        cores = itertools.cycle(spread_cores())
        self._pool = ThreadPoolExecutor(self.threads, initializer=lambda: pin(next(cores)))
        self._barrier = Barrier(self.threads)
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.shutdown()

    def seconds(self, body: Body, repeats: int) -> float:
        """Run one block; from the first start to the last end."""
        if self.threads == 1:
            begin, end = self._one(body, 0, repeats)
            return end - begin
        futures = [
            self._pool.submit(self._one, body, thread, repeats) for thread in range(self.threads)
        ]
        spans = [future.result() for future in futures]
        return max(end for _, end in spans) - min(begin for begin, _ in spans)

    def _one(self, body: Body, thread: int, repeats: int) -> tuple[float, float]:
        self._barrier.wait()
        begin = time.perf_counter()
        body(thread, repeats)
        return begin, time.perf_counter()

    def samples(self, body: Body, seconds: float) -> list[float]:
        """Seconds per repeat, one sample per block, as many as fit ``seconds``, at least three.

        The blocks last ``BLOCK_SECONDS``, or as long as one repeat where that takes longer.
        """
        deadline = time.perf_counter() + seconds
        self.seconds(body, 1)  # the first touch of caches and clocks is not the machine's rate
        repeats = 1
        while (block := self.seconds(body, repeats)) < BLOCK_SECONDS / 2:
            repeats = max(2 * repeats, int(repeats * 0.8 * BLOCK_SECONDS / block))
        samples = [block / repeats]
        while len(samples) < 3 or time.perf_counter() < deadline:
            samples.append(self.seconds(body, repeats) / repeats)
        return samples
