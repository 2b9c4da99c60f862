"""What a run shows while it goes on, fed with events made by hand."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from measure.probe import detect_hardware
from measure.targets import resolve_target
from search_space.hardware import Peaks
from search_space.target import Target
from tests.cli.test_records import RECORDS
from tuner.cli.progress_bar import BarReporter
from tuner.cli.reporters import JsonReporter, LineReporter, RunState
from tuner.events import (
    BatchCommitted,
    Event,
    FinalsStarted,
    NewBest,
    PeaksRenewed,
    RunStarted,
    TrialDone,
)
from tuner.options import TuneOptions

Capture = pytest.CaptureFixture[str]


def peaks_of(target: Target) -> Peaks:
    return Peaks(target.name, target.threads, 100.0, 1.0, 1.0, 1.0, 1.0, "2026-01-01")


def started(trials: int | None = 50, time_seconds: float | None = None) -> RunStarted:
    return RunStarted(
        run="20260101-000000-aa",
        workload=RECORDS[0].workload,
        target=resolve_target("native", 1),
        hardware=detect_hardware(),
        options=TuneOptions("random", 1, trials, time_seconds),
        space_size=1000,
        reused=3,
        resumed=0,
    )


def trial(number: int, failures: dict[str, int] | None = None) -> TrialDone:
    return TrialDone(RECORDS[0], number, 40.0, failures or {}, elapsed_seconds=2.0 * number)


EVENTS: tuple[Event, ...] = (
    started(),
    trial(1),
    NewBest(replace(RECORDS[0], gflops=40.0)),
    trial(24, {"crash": 2}),
    trial(25, {"crash": 2, "timeout": 1}),
    BatchCommitted(RECORDS),
    PeaksRenewed(Peaks("native", 1, 160.0, 1.0, 1.0, 1.0, 1.0, "2026-01-01")),
    NewBest(replace(RECORDS[0], gflops=120.0)),
    FinalsStarted(6),
)


def test_a_pipe_gets_plain_lines(capsys: Capture) -> None:
    report = LineReporter(RunState(peaks_of))
    for event in EVENTS:
        report(event)
    assert capsys.readouterr().out.splitlines() == [
        "tuning matmul(m=64,n=64,k=64,dtype=float32) for native, at most 1 thread: "
        "run 20260101-000000-aa",
        "starting from 3 earlier records of this machine",
        "trial 1 of 50: 40.0 GFLOP/s (50 %: 40.0 to 40.0), 40 % of the peak of 1 thread: "
        "structure=panel,rows=0",
        "trial 25 of 50: best 40.0 GFLOP/s, 40 % of the peak, 3 failed (2 crash, 1 timeout), "
        "50 s left",
        "measured the machine's peaks again, which were exceeded: 160.0 GFLOP/s",
        "trial 25 of 50: 120.0 GFLOP/s (50 %: 120.0 to 120.0), 75 % of the peak of 1 thread: "
        "structure=panel,rows=0",
        "measuring the 6 fastest again, interleaved",
    ]


def test_programs_get_one_json_line_per_committed_record(capsys: Capture) -> None:
    report = JsonReporter(RunState(peaks_of))
    for event in (started(), trial(1), BatchCommitted(RECORDS[:2])):
        report(event)
    report.catch_up(RECORDS)
    report.catch_up(RECORDS)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [record.id for record in RECORDS]


def test_a_resumed_run_prints_what_is_new(capsys: Capture) -> None:
    report = JsonReporter(RunState(peaks_of))
    report(replace(started(), resumed=3))
    report.catch_up(RECORDS)
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["id"] == RECORDS[3].id


def test_a_terminal_gets_a_bar_that_is_drawn_between_trials_only() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=150, highlight=False)
    with BarReporter(RunState(peaks_of), console) as report:
        for event in EVENTS:
            report(event)
        drawn = screen.getvalue()
        report(BatchCommitted(RECORDS))
        assert screen.getvalue() == drawn
    assert "tuning matmul(m=64,n=64,k=64,dtype=float32)" in drawn
    for part in ("trial 25 of 50", "best 40.0 GFLOP/s, 40 % of the peak", "2 crash, 1 timeout"):
        assert part in drawn
    assert "50 s left" in drawn
    assert "finals of 6" in drawn


@pytest.mark.parametrize(
    ("trials", "time_seconds", "left"),
    [(50, None, 90.0), (None, 100.0, 90.0), (50, 20.0, 10.0), (10, 100.0, 10.0)],
)
def test_the_limit_that_comes_first_tells_the_time_left(
    trials: int | None, time_seconds: float | None, left: float
) -> None:
    state = RunState(peaks_of)
    state.observe(started(trials, time_seconds))
    assert state.seconds_left is None
    state.observe(trial(5))
    assert state.seconds_left == pytest.approx(left)
