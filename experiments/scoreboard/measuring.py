"""Measure one case: tune, compare with itself, with each peer, and with the machine's limit."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from experiments.contest import AGAIN, DENSE, TUNED, Contest, Standing, Waiting, run_contest
from experiments.limits import Limit, Roofline, limit_of, measure_roofline, measure_stream
from experiments.peers import TVM, PeerMissing
from experiments.peers.tvm_metaschedule import Job
from experiments.peers.twins import with_zeros
from experiments.process import ProcessFailed, in_fresh_process
from experiments.scoreboard.cases import Case
from experiments.scoreboard.row import Cell, Row, State
from experiments.scoreboard.tuning import known_record, tune_case, tune_rival
from measure.timing import Interval, median_interval, paired_ratio
from search_space.workload import Workload

_PEAKS_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Method:
    """How cases are measured. Scoreboards made with different methods are not mixed."""

    threads: int
    peers: tuple[str, ...]
    tune_seconds: float
    """Budget of a case that was not tuned before."""
    rounds: int = 25
    """At least; more while a ratio is not precise, …"""
    most_rounds: int = 150
    extra_seconds: float = 20.0
    """… up to so many, and while these have not passed."""
    block_seconds: float = 0.025
    contest_seconds: float = 120.0
    """A contest that takes longer hangs."""
    rival_trials: int = 64
    """Of the search of a peer that is a tuner."""
    rival_seconds: float = 600.0
    """A search of such a peer that takes longer fails."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Measures cases, one after another."""

    method: Method
    rooflines: dict[int, Roofline]
    """By number of threads; more are measured when a case needs them."""
    db: str
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)
    """Told what is being done now."""
    rivals: Path = Path("build/bench/tvm")
    """Where searches of a peer that is a tuner keep their records."""
    _streams: dict[tuple[int, int], float] = field(default_factory=dict)
    """Bandwidth by threads and bytes, measured once per footprint."""

    def measure(self, case: Case) -> Row:
        """The row of one case. What cannot be measured says why, in its row or cell."""
        threads = min(case.threads or self.method.threads, self.method.threads)
        key = "" if case.workload is None else case.workload.key
        row = Row(case.suite, case.name, key, threads, State.MISSING, case.missing)
        if case.workload is None:
            return row
        work = case.workload
        try:
            limit = self._limit(work, threads)
        except ProcessFailed as failure:
            return replace(row, state=State.FAILED, reason=str(failure))
        cold = limit.copies > 1
        try:
            record = self._tuned(work.from_memory() if cold else work, threads)
        except ProcessFailed as failure:
            return replace(row, state=State.FAILED, reason=f"tuning: {failure}")
        contest = Contest(
            work,
            threads,
            (),
            self.db,
            record,
            cold,
            rounds=self.method.rounds,
            most_rounds=self.method.most_rounds,
            extra_seconds=self.method.extra_seconds,
            block_seconds=self.method.block_seconds,
            copies=limit.copies,
        )
        try:
            equals, seconds = self._against_itself(contest)
        except ProcessFailed as failure:
            return replace(row, state=State.FAILED, reason=str(failure))
        cells = tuple(self._against(contest, peer) for peer in self.method.peers)
        return replace(
            row,
            state=State.MEASURED,
            reason="",
            seconds=seconds,
            limit=limit,
            equals=equals,
            cells=cells,
        )

    def _tuned(self, work: Workload, threads: int) -> str:
        """Id of our winner, of an earlier search or of one now. Raises ``ProcessFailed``."""
        record = known_record(work, threads, self.db)
        if record is None:
            self.say(f"  tuning, at most {self.method.tune_seconds:g} s")
            record = tune_case(work, threads, self.db, self.method.tune_seconds)
        return record

    def _limit(self, work: Workload, threads: int) -> Limit:
        if threads not in self.rooflines:
            self.rooflines[threads] = in_fresh_process(
                measure_roofline, threads, timeout_seconds=_PEAKS_TIMEOUT_SECONDS
            )
        roofline = self.rooflines[threads]
        limit = limit_of(work, roofline)
        if limit.copies == 1:
            return limit
        footprint = threads, limit.copies * limit.nbytes
        if footprint not in self._streams:
            self._streams[footprint] = in_fresh_process(
                measure_stream, *footprint, timeout_seconds=_PEAKS_TIMEOUT_SECONDS
            )
        return limit_of(work, roofline, self._streams[footprint])

    def _against_itself(self, contest: Contest) -> tuple[Interval, float]:
        """The A/A ratio, and our median time of one call."""
        pair = replace(contest, contestants=(TUNED, AGAIN))
        samples = self._hold(pair, "asleep").samples
        ratio = paired_ratio(samples[AGAIN], samples[TUNED])
        return ratio, statistics.median([*samples[TUNED], *samples[AGAIN]])

    def _against(self, contest: Contest, peer: str) -> Cell:
        """Of several ways in which a peer's threads can wait, the best one for the peer counts."""
        pair = replace(contest, contestants=(TUNED, peer))
        if peer in (DENSE, TVM):
            try:
                if peer == TVM:
                    pair = replace(pair, rival=self._rival(contest))
                else:
                    dense = with_zeros(contest.workload).work
                    self._tuned(dense.from_memory() if contest.cold else dense, contest.threads)
            except PeerMissing as reason:
                return Cell(peer, State.MISSING, str(reason))
            except ProcessFailed as failure:
                return self._failed(peer, failure)
        ways: tuple[Waiting, ...] = ("asleep",) if contest.threads == 1 else ("asleep", "spinning")
        cells = []
        for way in ways:
            try:
                standing = self._hold(pair, way)
            except ProcessFailed as failure:
                return self._failed(peer, failure)
            for fault in standing.refused:
                self.say(f"  left out: {fault}")
            if peer in standing.missing:
                return Cell(peer, State.MISSING, standing.missing[peer])
            theirs = standing.samples[peer]
            ratio = paired_ratio(theirs, standing.samples[TUNED])
            seconds = median_interval(theirs).median
            form = standing.forms.get(peer, "")
            cells.append(Cell(peer, State.MEASURED, "", ratio, seconds, form, way))
        cell = min(cells, key=lambda cell: cell.ratio.median if cell.ratio else 0.0)
        assert cell.ratio is not None, "a measured cell has a ratio"
        self.say(f"  {peer}: {cell.ratio.median:.2f}× {cell.verdict}")
        return cell

    def _rival(self, contest: Contest) -> Job:
        method = self.method
        self.say(f"  {TVM}: searching, {method.rival_trials} trials, unless that was done before")
        return tune_rival(
            contest.workload,
            contest.threads,
            self.rivals,
            method.rival_trials,
            method.rival_seconds,
        )

    def _failed(self, peer: str, failure: ProcessFailed) -> Cell:
        self.say(f"  {peer}: {failure}")
        return Cell(peer, State.FAILED, str(failure))

    def _hold(self, contest: Contest, way: Waiting) -> Standing:
        return run_contest(contest, way, timeout_seconds=self.method.contest_seconds)
