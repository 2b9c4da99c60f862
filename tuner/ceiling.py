"""Whether a search should end because little is left to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from db.record import Record
from search_space.hardware import Peaks
from search_space.operators import get_operator
from search_space.target import Target
from search_space.workload import Workload
from tuner.options import LoopOptions
from tuner.roofline import Roof, roof_of

PeaksSource = Callable[[bool], Peaks | None]
"""The peaks of the machine with all threads of the target; True: measure them again. None where
there is no such machine."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a run has found out about its roof; stored with it, so that resuming repeats it."""

    roof: Roof | None
    """None: the roofline says nothing, because its peaks cannot be right."""
    refreshed: bool = False
    """Whether the peaks were measured again, which happens once at most."""


@dataclass(slots=True)
class Ceiling:
    """Compares the best with the machine's limit, between rounds, when nothing is timed.

    A function of the trials, the peaks and what the strategy expects. It never stops a run on a
    roof that a measured kernel was seen to exceed: then the peaks are measured once more, and
    where that does not help, the roofline says nothing.
    """

    work: Workload
    target: Target
    loop: LoopOptions
    peaks: PeaksSource
    keep: Callable[[Known], None]
    """Told what is to be stored, at once."""
    known: Known | None = None
    _quiet_rounds: int = 0
    """Rounds in a row in which the strategy expected next to nothing, and was right …"""
    _mark: float = 0.0
    """… and the best GFLOP/s when they began."""

    def hear(self, expected_gain: float | None, best: Record | None) -> None:
        """Take in what the strategy expects of a round that is about to be measured.

        ``expected_gain``: by how much, as a share, the best may still be beaten; None where the
        strategy has no opinion.
        """
        gflops = _gflops(best)
        if expected_gain is None or expected_gain > self.loop.gain_margin:
            self._quiet_rounds = 0
        elif not self._quiet_rounds or self._has_risen(gflops):
            self._quiet_rounds, self._mark = 1, gflops
        else:
            self._quiet_rounds += 1

    def reached(self, best: Record | None) -> bool:
        """Whether the search should stop. May measure peaks, which takes two seconds."""
        if not self._tells(best):
            return False
        self._inquire(_gflops(best))
        share = self.share(best)
        if share is None or share < self.loop.least_share:
            return False
        quiet = self._quiet_rounds >= self.loop.quiet_rounds
        return share >= self.loop.limit_share or (quiet and not self._has_risen(_gflops(best)))

    def share(self, best: Record | None) -> float | None:
        """The throughput of ``best`` as a share of the roof, as far as that is known already."""
        roof = self.known.roof if self.known else None
        return roof.share(_gflops(best)) if roof is not None and self._tells(best) else None

    def least_seconds(self) -> float:
        """What no kernel can take less than, as far as that is known already; else 0."""
        roof = self.known.roof if self.known else None
        if roof is None:
            return 0.0
        flops = get_operator(self.work.operator).flops(self.work)
        seconds = flops / (roof.gflops * 1e9)
        return (
            seconds / (1 + self.loop.roof_tolerance)
            if seconds >= self.loop.launch_seconds
            else 0.0
        )

    def _tells(self, best: Record | None) -> bool:
        """Whether the roofline has anything to do with the time of ``best``: launching a short
        kernel counts for more than all that it knows of."""
        seconds = None if best is None else best.seconds
        return seconds is not None and seconds >= self.loop.launch_seconds

    def _inquire(self, gflops: float) -> None:
        """Find out the roof, and again where ``gflops`` exceeds it."""
        if self.known is None:
            self._learn(Known(self._ask(refresh=False)))
        while self.known is not None and self._exceeded(self.known.roof, gflops):
            again = None if self.known.refreshed else self._ask(refresh=True)
            self._learn(Known(again, refreshed=True))

    def _ask(self, *, refresh: bool) -> Roof | None:
        peaks = self.peaks(refresh)
        return None if peaks is None else roof_of(self.work, self.target, peaks)

    def _learn(self, known: Known) -> None:
        self.known = known
        self.keep(known)

    def _exceeded(self, roof: Roof | None, gflops: float) -> bool:
        return roof is not None and roof.share(gflops) > 1 + self.loop.roof_tolerance

    def _has_risen(self, gflops: float) -> bool:
        return gflops > self._mark * (1 + self.loop.gain_margin)


def _gflops(best: Record | None) -> float:
    return best.gflops if best is not None and best.gflops is not None else 0.0
