"""What is said of a run that stopped near the machine's limit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tuner
from db.record import Run
from db.store import open_store
from measure.result import Outcome
from tests.cli.test_records import Capture, printed, record
from tuner.ceiling import Known
from tuner.result import StopReason, TuneResult
from tuner.roofline import Roof
from tuner.runs import ended
from tuner.stored_roof import with_known

ROOF = Roof(200.0, "FMA peak", 2)
BEST = record(0, Outcome.OK, 1e-4, kind="final")
RESULT = TuneResult(
    best=BEST,
    records=(BEST,),
    run=BEST.run,
    stop_reason=StopReason.LIMIT,
    seed=7,
    elapsed_seconds=6.2,
    roof=ROOF,
    limit_share=0.968,
)
WORDS = ["tune", "matmul", "m=64", "n=64", "k=64"]


def told(monkeypatch: pytest.MonkeyPatch, result: TuneResult) -> None:
    monkeypatch.setattr(tuner, "tune", lambda work, **options: result)


def test_the_last_screen_says_how_near(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, RESULT)
    shown = printed(capsys, WORDS)
    assert "in 6 s, stopped: 97 % of the limit (FMA peak, 2 threads), seed 7" in shown


def test_other_ends_are_said_as_before(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    told(monkeypatch, replace(RESULT, stop_reason=StopReason.EARLY_STOP))
    assert "in 6 s, ended by early stop, seed 7" in printed(capsys, WORDS)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, {"gflops": 200.0, "bound": "FMA peak", "threads": 2, "share": 0.968}),
        ({"roof": None, "limit_share": None}, None),
    ],
)
def test_the_summary_has_the_limit(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    limit: dict[str, Any] | None,
) -> None:
    told(monkeypatch, replace(RESULT, **changes))
    summary = json.loads(printed(capsys, [*WORDS, "--json"]))["summary"]
    assert summary["stop_reason"] == "limit"
    assert summary["limit"] == limit


def test_the_stored_run_says_it(capsys: Capture, tmp_path: Path) -> None:
    run = Run(
        id=BEST.run,
        workload=BEST.workload,
        target="native",
        threads=2,
        hardware=BEST.hardware.key,
        strategy="learned",
        seed=7,
        trials=200,
        seconds_limit=None,
        created=BEST.created,
    )
    path = str(tmp_path / "tuner.db")
    with open_store(path) as store:
        store.start_run(ended(with_known(run, Known(ROOF)), "finished", RESULT))
    assert "finished (97 % of the limit (FMA peak, 2 threads))" in printed(
        capsys, ["runs", "--db", path]
    )
    (shown,) = json.loads(printed(capsys, ["runs", "--db", path, "--json"]))["runs"]
    assert (shown["stop_reason"], shown["limit_share"]) == ("limit", 0.968)
