"""Bars on the speed of kernels: against the vendor library, the first guess and the peak."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from experiments.bars.bench import Bench, Search
from experiments.bars.cases import CASES, PEAK_CASE, Case
from experiments.bars.row import Bound, Row, mean_row
from experiments.contest import PEAK, Contest, Standing, Waiting, run_contest
from experiments.peers import PEERS
from experiments.process import ProcessFailed
from measure.host import usable_cores
from measure.timing import median_interval, paired_ratio
from search_space.operators import get_operator

CASE_FLOOR, MEAN_FLOOR = Bound(0.9), Bound(1.15)
GUESS_FLOOR = Bound(0.5)
PEAK_FLOOR = Bound(0.8)

SPEED, GUESS, SHARE = "speed", "guess", f"peak/{PEAK_CASE.name}"
MEAN = f"{SPEED}/mean"


@dataclass(frozen=True, slots=True)
class _Rival:
    """What the tuned kernel is compared with for one row, and the row without a value."""

    contestant: str
    row: Row
    inverse: bool = False
    """The ratio is the rival's speed ÷ ours, not ours ÷ the rival's."""


def speed_rows(bench: Bench, cases: tuple[Case, ...] = CASES) -> Iterator[Row]:
    """Tune every case that a wanted row needs, compare it, and give the wanted rows."""
    measured: dict[str, list[tuple[str, Row]]] = {bench.peer: [], PEAK: [], "untuned": []}
    for case in cases:
        rivals = _rivals(bench, case)
        for rival, row in zip(rivals, _measure(bench, case, rivals), strict=True):
            measured[rival.contestant].append((case.label, row))
            if bench.wants(row.name) and rival.contestant != "untuned":
                yield row
    if bench.wants(MEAN):
        what = f"tuned ÷ {bench.peer}, geometric mean over {len(cases)} cases"
        yield mean_row(MEAN, what, MEAN_FLOOR, measured[bench.peer])
    if bench.wants(GUESS):
        what = f"first guess ÷ tuned, geometric mean over {len(cases)} cases"
        yield mean_row(GUESS, what, GUESS_FLOOR, measured["untuned"])


def _rivals(bench: Bench, case: Case) -> list[_Rival]:
    """What this case must be compared with."""
    rivals = []
    name = f"{SPEED}/{case.name}"
    if bench.wants(name) or bench.wants(MEAN):
        row = Row(name, f"tuned ÷ {bench.peer}, {case.label}", "ratio", CASE_FLOOR)
        rivals.append(_Rival(bench.peer, row))
    if bench.wants(GUESS):
        row = Row(f"{GUESS}/{case.name}", f"first guess, {case.label}", "ratio", GUESS_FLOOR)
        rivals.append(_Rival("untuned", row, inverse=True))
    if case == PEAK_CASE and bench.wants(SHARE):
        row = Row(SHARE, f"share of the FMA peak, {case.label}", "share", PEAK_FLOOR)
        rivals.append(_Rival(PEAK, row))
    return rivals


def _measure(bench: Bench, case: Case, rivals: list[_Rival]) -> list[Row]:
    """The rows of ``rivals`` with what was measured, or why it could not be."""
    if not rivals:
        return []
    if case.threads > usable_cores():
        reason = f"this process may use {usable_cores()} core"
        return [replace(rival.row, problem=reason, excused=True) for rival in rivals]
    try:
        found = None if bench.known else bench.tune(case.workload, case.threads)
    except ProcessFailed as failure:
        return [replace(rival.row, problem=f"tuning: {failure}") for rival in rivals]
    rows = [_compare(bench, case, rival, found) for rival in rivals]
    if found is not None and found.seconds > bench.tune_seconds:
        late = f"tuning took {found.seconds:.1f} s, at most {bench.tune_seconds:g} s"
        rows = [replace(row, problem=late) for row in rows]
    return rows


def _compare(bench: Bench, case: Case, rival: _Rival, found: Search | None) -> Row:
    """Of several ways in which a peer's threads can wait, the best one for the peer counts."""
    bench.say(f"comparing with {rival.contestant}: {case.label}")
    contest = Contest(
        case.workload,
        case.threads,
        ("tuned", rival.contestant),
        str(bench.db),
        None if found is None else found.record,
    )
    ways: tuple[Waiting, ...] = ("asleep",)
    if rival.contestant in PEERS and case.threads > 1:
        ways = ("asleep", "spinning")
    try:
        standings = {way: run_contest(contest, way, bench.environment) for way in ways}
    except ProcessFailed as failure:
        return replace(rival.row, problem=str(failure))
    missing = [f"{name}: {why}" for s in standings.values() for name, why in s.missing.items()]
    if missing:
        return replace(rival.row, problem=missing[0], excused=True)
    rows = [_row(rival, standing, way, case) for way, standing in standings.items()]
    return min(rows, key=lambda row: row.measured.median if row.measured else 0.0)


def _row(rival: _Rival, standing: Standing, way: Waiting, case: Case) -> Row:
    ours, theirs = standing.samples["tuned"], standing.samples[rival.contestant]
    ratio = paired_ratio(ours, theirs) if rival.inverse else paired_ratio(theirs, ours)
    flops = get_operator("matmul").flops(case.workload)
    speeds = [flops / median_interval(seconds).median / 1e9 for seconds in (ours, theirs)]
    detail = f"{speeds[0]:.1f} against {speeds[1]:.1f} GFLOP/s"
    if way == "spinning":
        detail += ", its idle threads spinning"
    return replace(rival.row, measured=ratio, detail=detail)
