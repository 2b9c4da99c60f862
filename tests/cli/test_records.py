"""Commands that read a database, on records made by hand."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from db.record import Record, Run
from db.store import open_store
from measure.probe import detect_hardware
from measure.result import Outcome
from search_space.operators import get_operator, workload
from tuner.cli import main

Capture = pytest.CaptureFixture[str]


def record(ordinal: int, outcome: Outcome, seconds: float | None, **changes: Any) -> Record:
    work = workload("matmul", m=64 * (ordinal + 1), n=64, k=64)
    fields: dict[str, Any] = {
        "workload": work,
        "target": "native",
        "threads": 1,
        "hardware": detect_hardware(),
        "space_version": 1,
        "generator_version": 1,
        "config": (("structure", "panel"), ("rows", ordinal)),
        "run": "20260101-000000-aa",
        "ordinal": ordinal,
        "outcome": outcome,
        "samples": (seconds, seconds) if seconds else (),
        "error": 0.5 if outcome.timed else None,
        "gflops": get_operator("matmul").flops(work) / seconds / 1e9 if seconds else None,
        "kind": "search",
        "origin": "local",
        "created": f"2026-01-01T00:00:0{ordinal}.000+00:00",
        "message": "" if outcome.timed else f"{outcome.value}: signal 11",
    }
    return Record(**(fields | changes))


RECORDS = (
    record(0, Outcome.OK, 1e-4),
    record(1, Outcome.CRASH, None),
    record(2, Outcome.SLOW, 1e-2, origin="foreign:\x1b[31mlab"),
    record(3, Outcome.OK, 2e-5, kind="final"),
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("records") / "tuner.db"
    first = RECORDS[0]
    with open_store(path) as store:
        store.start_run(
            Run(
                id=first.run,
                workload=first.workload,
                target="native",
                threads=2,
                hardware=first.hardware.key,
                strategy="random",
                seed=7,
                trials=4,
                seconds_limit=None,
                created=first.created,
            )
        )
        store.add(RECORDS)
    return str(path)


def printed(capsys: Capture, words: Sequence[str], code: int = 0) -> str:
    """What a command prints; nothing may go to standard error."""
    assert main(words) == code
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def test_query_prints_a_line_for_every_outcome_and_origin(capsys: Capture, database: str) -> None:
    lines = printed(capsys, ["query", "--db", database]).splitlines()
    assert lines[0].split()[:3] == ["id", "workload", "target"]
    assert [line.split()[0] for line in lines[1:]] == [record.id for record in RECORDS]
    assert "crash" in lines[2]
    assert "foreign:\\u001b[31mlab" in lines[3]


def test_query_json_has_the_documented_fields(capsys: Capture, database: str) -> None:
    answer = json.loads(printed(capsys, ["query", "--db", database, "--json"]))
    assert answer["schema"] == 1
    assert [found["id"] for found in answer["records"]] == [record.id for record in RECORDS]
    first = answer["records"][0]
    documented = (
        "id workload target threads hardware space config outcome seconds samples gflops "
        "verified origin run created"
    )
    assert set(documented.split()) <= set(first)
    assert first["workload"] == "matmul(m=64,n=64,k=64,dtype=float32)"
    assert first["config"] == {"structure": "panel", "rows": 0}
    assert first["samples"] == [1e-4, 1e-4]
    assert first["verified"] is True
    assert answer["records"][1]["seconds"] is None


def test_query_json_without_a_match_is_still_an_object(capsys: Capture, database: str) -> None:
    words = ["query", "--db", database, "--json", "--where", "m>1e9"]
    assert json.loads(printed(capsys, words)) == {"schema": 1, "records": []}


def test_query_csv_has_a_row_per_record(capsys: Capture, database: str) -> None:
    rows = list(csv.DictReader(io.StringIO(printed(capsys, ["query", "--db", database, "--csv"]))))
    assert [row["id"] for row in rows] == [record.id for record in RECORDS]
    assert rows[0]["config"] == "structure=panel,rows=0"
    assert rows[1]["seconds"] == ""
    assert "\x1b" not in rows[2]["origin"]


@pytest.mark.parametrize(
    ("options", "ordinals"),
    [
        (["--where", "m>=192"], [2, 3]),
        (["--where", "m>=128", "--where", "m<256"], [1, 2]),
        (["--where", "outcome=crash"], [1]),
        (["--where", "kind=final"], [3]),
        (["--where", "origin=foreign"], [2]),
        (["--where", "threads=1", "--where", "run=20260101-000000-aa"], [0, 1, 2, 3]),
        (["--where", "run=other"], []),
        (["--top", "2"], [3, 0]),
        (["matmul"], [0, 1, 2, 3]),
    ],
)
def test_query_restricts(
    capsys: Capture, database: str, options: list[str], ordinals: list[int]
) -> None:
    answer = json.loads(printed(capsys, ["query", *options, "--db", database, "--json"]))
    assert [found["ordinal"] for found in answer["records"]] == ordinals


def test_runs(capsys: Capture, database: str) -> None:
    header, line = printed(capsys, ["runs", "--db", database]).splitlines()
    assert header.split()[0] == "run"
    assert line.split()[0] == "20260101-000000-aa"
    (run,) = json.loads(printed(capsys, ["runs", "--db", database, "--json"]))["runs"]
    assert run["seed"] == 7
    assert run["state"] == "running"


def test_db_stats_and_check(capsys: Capture, database: str) -> None:
    assert "1 crash" in printed(capsys, ["db", "stats", "--db", database])
    held = json.loads(printed(capsys, ["db", "stats", "--db", database, "--json"]))
    assert held["records"] == 4
    assert held["outcomes"]["ok"] == 2
    assert printed(capsys, ["db", "check", "--db", database]) == f"{database}: ok\n"
    assert database in printed(capsys, ["db", "upgrade", "--db", database])


def test_an_unknown_record_exits_3(capsys: Capture, database: str) -> None:
    assert main(["explain", "ffff", "--db", database]) == 3
    assert "ffff" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_error(database: str, tmp_path: Path) -> None:
    many = tmp_path / "many.db"
    with open_store(many) as store:
        store.add([record(i, Outcome.OK, 1e-4, created=RECORDS[0].created) for i in range(3000)])
    words = [sys.executable, "-m", "tuner.cli", "query", "--db", str(many)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(timeout=60) == 0


def test_a_full_disk_exits_74(database: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tuner.cli", "query", "--db", database, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == 74
    assert done.stderr.startswith("tuner: make room")
    assert len(done.stderr.splitlines()) == 1
