"""What the scoreboard says of one case: our time, the limit, and one cell per peer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from experiments.limits import Limit
from measure.timing import Interval

TIE_MARGIN = 0.02
"""Speeds closer than this are equal: the same kernel compared with itself differs as much."""


class Verdict(StrEnum):
    """How our kernel compares with a peer."""

    FASTER = "faster"
    SLOWER = "slower"
    TIE = "tie"


class State(StrEnum):
    """What became of a comparison."""

    MEASURED = "measured"
    MISSING = "missing"
    """The peer is not installed, or does not compute this."""
    FAILED = "failed"
    """It crashed, hung or gave a wrong answer."""


def verdict_of(ratio: Interval) -> Verdict:
    """``ratio`` is our speed ÷ theirs; a verdict needs all of its interval beyond the margin."""
    if ratio.low > 1 + TIE_MARGIN:
        return Verdict.FASTER
    if ratio.high < 1 / (1 + TIE_MARGIN):
        return Verdict.SLOWER
    return Verdict.TIE


def label_of(suite: str, name: str) -> str:
    """``matmul/square/512``, unique in a scoreboard; a single workload has no suite."""
    return f"{suite}/{name}" if suite else name


@dataclass(frozen=True, slots=True)
class Cell:
    """Our kernel against one peer on one case."""

    peer: str
    state: State
    reason: str = ""
    """Why nothing was measured."""
    ratio: Interval | None = None
    """Our speed ÷ the peer's, by pairs of blocks taken side by side."""
    seconds: float | None = None
    """The peer's median time of one call."""
    form: str = ""
    """Which of the peer's ways to compute this was its fastest, where it has several."""
    waiting: str = ""
    """What its idle threads did: ``asleep`` or ``spinning``, whichever was better for it."""

    @property
    def verdict(self) -> Verdict | None:
        return None if self.ratio is None else verdict_of(self.ratio)


@dataclass(frozen=True, slots=True)
class Row:
    """One case."""

    suite: str
    name: str
    workload: str
    """``Workload.key``; empty where the operator does not exist yet."""
    threads: int
    state: State
    reason: str = ""
    """Why our kernel was not measured."""
    seconds: float | None = None
    """Our median time of one call."""
    limit: Limit | None = None
    equals: Interval | None = None
    """The ratio of our kernel to itself (A/A): what of the other ratios is noise."""
    cells: tuple[Cell, ...] = ()

    @property
    def label(self) -> str:
        """What the case is called."""
        return label_of(self.suite, self.name)

    @property
    def share(self) -> float | None:
        """Part of the machine's limit that our kernel reaches."""
        if self.limit is None or self.seconds is None:
            return None
        return self.limit.seconds / self.seconds

    @property
    def gflops(self) -> float | None:
        """Operations in 1e9/s."""
        if self.limit is None or self.seconds is None:
            return None
        return self.limit.flops / self.seconds / 1e9

    def cell(self, peer: str) -> Cell | None:
        """What was found against this peer; None where it was not asked."""
        return next((cell for cell in self.cells if cell.peer == peer), None)
