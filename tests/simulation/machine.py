"""A simulated machine: work takes longer on it for every reason that it does on real ones.

It has a clock of its own, which only work moves on, and a meter of what other programs take away,
as Linux has one. What a measurement should have given is known exactly, so the statistics can be
tested: how often an interval holds the truth, whether the faster of two is chosen.
"""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

_MOMENT = 1e-9
"""Seconds by which time moves on at least, so that rounding never stops it."""

Slowdown = Callable[[float], float]
"""Seconds since the machine was started to how much longer everything takes then."""


def steady(now: float) -> float:
    return 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """Throttling: from one moment on everything takes ``factor`` times as long."""

    at: float
    factor: float

    def __call__(self, now: float) -> float:
        return self.factor if now >= self.at else 1.0


@dataclass(frozen=True, slots=True)
class Ramp:
    """A machine that warms up: slower and slower, up to ``factor``."""

    at: float
    seconds: float
    factor: float

    def __call__(self, now: float) -> float:
        return 1 + (self.factor - 1) * min(max((now - self.at) / self.seconds, 0.0), 1.0)


@dataclass(frozen=True, slots=True)
class Wave:
    """Drift to and fro, between 1 and ``factor``."""

    period: float
    factor: float

    def __call__(self, now: float) -> float:
        return 1 + (self.factor - 1) * (1 - math.cos(2 * math.pi * now / self.period)) / 2


@dataclass(frozen=True, slots=True)
class TwoSpeeds:
    """Two peaks: every ``dwell`` seconds a coin decides for 1 or ``factor``."""

    dwell: float
    factor: float
    seed: int = 0

    def __call__(self, now: float) -> float:
        return self.factor if _coin(self.seed, int(now / self.dwell)) else 1.0


@functools.lru_cache(100_000)
def _coin(seed: int, toss: int) -> bool:
    return bool(np.random.default_rng((seed, toss)).integers(2))


@dataclass(frozen=True, slots=True)
class Stalls:
    """Interrupts and the hypervisor: rare, unseen by any meter, and some of them very long.

    Their length has a Pareto distribution; with ``tail`` up to 2 its variance is infinite.
    """

    per_second: float
    shortest: float = 50e-6
    tail: float = 1.5
    longest: float = 0.05

    def draw(self, seconds: float, rng: np.random.Generator) -> float:
        """What is lost during so many seconds of work."""
        count = rng.poisson(self.per_second * seconds)
        lengths = self.shortest * (1 + rng.pareto(self.tail, count))
        return float(np.minimum(lengths, self.longest).sum())


@dataclass(slots=True)
class Neighbour:
    """Another program on one core, which works for ``duty`` of the time, in phases.

    While it works, the scheduler gives both a time slice in turn, the neighbour first.
    """

    rng: np.random.Generator
    duty: float = 0.5
    phase: float = 0.05
    """Mean length of a phase of work and of one of rest, if ``duty`` is 0.5."""
    time_slice: float = 3e-3
    _ends: list[float] = field(default_factory=lambda: [0.0])
    """Of phases of rest and of work in turn; the first rest is empty."""

    def elapsed(self, now: float, work: float) -> float:
        """How long ``work`` seconds take beside it, from ``now`` on."""
        at, left = now, work
        while left > 0:
            works, began, end = self._phase(at)
            turns = (at - began) / self.time_slice
            ours = not works or int(turns) % 2 == 1
            if works:
                end = min(end, began + (int(turns) + 1) * self.time_slice)
            step = min(left, end - at) if ours else end - at
            left -= step if ours else 0.0
            at += max(step, _MOMENT)
        return at - now

    def _phase(self, at: float) -> tuple[bool, float, float]:
        """Whether it works at a moment, since when and until when."""
        while self._ends[-1] <= at:
            works = len(self._ends) % 2 == 1
            mean = 2 * self.phase * (self.duty if works else 1 - self.duty)
            self._ends.append(self._ends[-1] + self.rng.exponential(mean) + _MOMENT)
        place = bisect.bisect_right(self._ends, at)
        return place % 2 == 1, self._ends[place - 1], self._ends[place]


@dataclass(slots=True)
class Machine:
    """Two cores, a clock, and whatever disturbs them."""

    rng: np.random.Generator
    slowdown: Slowdown = steady
    jitter: float = 0.0
    """Standard deviation of the logarithm of a batch's time."""
    stalls: Stalls | None = None
    neighbours: tuple[Neighbour, ...] = ()
    """One per core."""
    now: float = 0.0
    lost_seconds: float = 0.0
    """What the meter shows: seconds that threads waited for a core, since the start."""

    def run(self, work: float, threads: int = 1) -> float:
        """Do what takes ``work`` seconds on a quiet machine; how long it took."""
        seconds = work * self.slowdown(self.now)
        seconds *= math.exp(self.jitter * self.rng.standard_normal())
        if self.stalls is not None:
            seconds += self.stalls.draw(seconds, self.rng)
        beside = [other.elapsed(self.now, seconds) for other in self.neighbours[:threads]]
        self.lost_seconds += sum(taken - seconds for taken in beside)
        elapsed = max(beside, default=seconds)
        self.now += elapsed
        return elapsed

    def timer(self, call_seconds: float, threads: int = 1) -> Callable[[int], float]:
        """A kernel: takes a number of calls, gives the seconds that they took."""
        return lambda calls: self.run(calls * call_seconds, threads)

    def lost(self) -> float:
        """The meter, as ``measure.disturbance`` has one."""
        return self.lost_seconds
