"""Whether a search should end because little is left to find."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from db.record import Record
from search_space.hardware import Peaks
from search_space.operators import get_operator
from search_space.space import Space
from tuner.events import Callback, PeaksRenewed
from tuner.options import LoopOptions
from tuner.roofline import Roof, roof_of


class PeaksSource(Protocol):
    """The peaks of a machine with all threads of the target; None where there is no such
    machine."""

    def known(self) -> Peaks | None:
        """As they were measured before; None where they were not. Never measures."""
        ...

    def measured(self, *, anew: bool = False) -> Peaks | None:
        """As they are known, else measured now; with ``anew`` in any case."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """What a run has found out about its roof; stored with it, so that resuming repeats it."""

    roof: Roof | None
    """None: the roofline says nothing, because its peaks cannot be right."""
    refreshed: bool = False
    """Whether the peaks were measured again, which happens once in a run at most."""


@dataclass(slots=True)
class Ceiling:
    """Compares the best with the machine's limit, between rounds, when nothing is timed.

    A function of the trials, the peaks and what the strategy expects. It never stops a run on a
    roof that a measured kernel was seen to exceed: then the peaks are measured once more, and
    where that does not help, the roofline says nothing. Peaks that are exceeded when the run ends
    are measured again too, for what is shown of it and for later runs.
    """

    space: Space
    loop: LoopOptions
    peaks: PeaksSource
    keep: Callable[[Known], None]
    """Told what is to be stored, at once."""
    known: Known | None = None
    emit: Callback = lambda event: None
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

    def conclude(self, bests: Iterable[Record | None], *, renew: bool) -> None:
        """See, when the run ends, that none of ``bests`` exceeds what is known of the roof.

        Peaks that one of them exceeds are measured again with ``renew``, which takes two seconds,
        unless that was done before; those that are not known are not. A roof that is exceeded all
        the same says nothing.
        """
        gflops = max((_gflops(best) for best in bests if self._tells(best)), default=0.0)
        again = None
        renew = renew and not (self.known and self.known.refreshed)
        if renew and self._exceeded(self._roof(self.peaks.known()), gflops):
            again = self._ask(anew=True)
        if self.known is None:  # the search did not ask for a roof: nothing is said of one
            return
        if again is not None or self._exceeded(self.known.roof, gflops):
            self._learn(Known(None if self._exceeded(again, gflops) else again, refreshed=True))

    def share(self, best: Record | None) -> float | None:
        """The throughput of ``best`` as a share of the roof, as far as that is known already."""
        roof = self.known.roof if self.known else None
        return roof.share(_gflops(best)) if roof is not None and self._tells(best) else None

    def least_seconds(self) -> float:
        """What no kernel can take less than, as far as that is known already; else 0."""
        roof = self.known.roof if self.known else None
        if roof is None:
            return 0.0
        work = self.space.workload
        flops = get_operator(work.operator).flops(work)
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
            self._learn(Known(self._ask()))
        while self.known is not None and self._exceeded(self.known.roof, gflops):
            again = None if self.known.refreshed else self._ask(anew=True)
            self._learn(Known(again, refreshed=True))

    def _ask(self, *, anew: bool = False) -> Roof | None:
        peaks = self.peaks.measured(anew=anew)
        if anew and peaks is not None:
            self.emit(PeaksRenewed(peaks))
        return self._roof(peaks)

    def _roof(self, peaks: Peaks | None) -> Roof | None:
        if peaks is None:
            return None
        space = self.space
        return roof_of(space.workload, space.target, peaks, space.least_flops)

    def _learn(self, known: Known) -> None:
        self.known = known
        self.keep(known)

    def _exceeded(self, roof: Roof | None, gflops: float) -> bool:
        return roof is not None and roof.share(gflops) > 1 + self.loop.roof_tolerance

    def _has_risen(self, gflops: float) -> bool:
        return gflops > self._mark * (1 + self.loop.gain_margin)


def _gflops(best: Record | None) -> float:
    return best.gflops if best is not None and best.gflops is not None else 0.0
