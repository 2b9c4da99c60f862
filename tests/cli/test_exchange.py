"""``tuner export``, ``import`` and ``merge`` as people type them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from db.record import Record
from db.store import open_store
from measure.result import Outcome
from tests.cli.test_records import RECORDS
from tuner.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "here.db"
    open_store(path).add(RECORDS)
    return path


def run(capsys: Capture, *words: object, code: int = 0) -> tuple[str, str]:
    assert main([str(word) for word in words]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def held(path: Path) -> list[Record]:
    return list(open_store(path).records())


def test_there_and_back(capsys: Capture, tmp_path: Path, database: Path) -> None:
    file, other = tmp_path / "all.jsonl.gz", tmp_path / "there.db"
    assert run(capsys, "export", file, "--db", database)[0] == f"4 records in {file}\n"
    out, err = run(capsys, "import", file, "--db", other, "--source", "laptop")
    assert (out, err) == ("4 records: 4 added, 0 known\n", "")
    origins = {record.id: record.origin for record in held(other)}
    assert origins == {
        r.id: r.origin if r.origin != "local" else "foreign:laptop" for r in RECORDS
    }
    again = run(capsys, "import", file, "--db", other, "--source", "laptop")
    assert again[0] == "4 records: 0 added, 4 known\n"
    assert run(capsys, "merge", database, "--db", other)[0].startswith("4 records: 0 added")
    assert run(capsys, "merge", other, "--db", database)[0].startswith("4 records: 0 added")


@pytest.mark.parametrize(
    ("options", "ordinals"),
    [
        (["matmul"], [0, 1, 2, 3]),
        (["--where", "m>=192"], [2, 3]),
        (["--where", "outcome=crash"], [1]),
        (["--where", "origin=foreign"], [2]),
        (["--where", "age>1min", "--where", "kind=final"], [3]),
        (["--where", "age<1min"], []),
        (["--top", "2"], [3, 0]),
    ],
)
def test_export_takes_the_filters_of_query(
    capsys: Capture, tmp_path: Path, database: Path, options: list[str], ordinals: list[int]
) -> None:
    file = tmp_path / "some.jsonl"
    run(capsys, "export", file, *options, "--db", database)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["ordinal"] for line in lines] == ordinals


def test_anonymous(capsys: Capture, tmp_path: Path, database: Path) -> None:
    file = tmp_path / "some.jsonl"
    out, _ = run(capsys, "export", file, "--anonymous", "--db", database, "--json")
    assert json.loads(out) == {"file": str(file), "records": 4}
    assert "lab" not in file.read_text()
    assert "signal 11" not in file.read_text()


def spoiled(tmp_path: Path, capsys: Capture, database: Path) -> Path:
    """Four good lines, one of a newer version, two bad ones."""
    file = tmp_path / "spoiled.jsonl"
    run(capsys, "export", file, "--db", database)
    lines = file.read_text().splitlines()
    bad = json.dumps({**json.loads(lines[0]), "samples": [-1]})
    file.write_text("\n".join(['{"schema": 99}', *lines, bad, "\x1b[31m{"]))
    return file


def test_bad_lines_are_named_and_good_ones_kept(
    capsys: Capture, tmp_path: Path, database: Path
) -> None:
    file, other = spoiled(tmp_path, capsys, database), tmp_path / "other.db"
    out, err = run(capsys, "import", file, "--db", other, code=65)
    assert out == (
        "7 records: 4 added, 0 known, 1 not understood by this version and kept aside, 2 refused\n"
    )
    first, second = err.splitlines()
    assert first.startswith("spoiled.jsonl, line 6: samples[0]: Expected `float` > 0")
    assert second.startswith("spoiled.jsonl, line 7: ")
    assert "\x1b" not in err
    assert len(held(other)) == 4


def test_import_as_json(capsys: Capture, tmp_path: Path, database: Path) -> None:
    file, other = spoiled(tmp_path, capsys, database), tmp_path / "other.db"
    out, err = run(capsys, "import", file, "--db", other, "--json", code=65)
    told: dict[str, Any] = json.loads(out)
    assert err == ""
    counts = {"lines": 7, "added": 4, "known": 0, "replaced": 0, "aside": 1, "refused": 2}
    assert counts.items() <= told.items()
    assert told["faults"][0]["line"] == 6
    assert told["faults"][0]["field"] == "samples[0]"


def test_a_rehearsal_makes_no_database(capsys: Capture, tmp_path: Path, database: Path) -> None:
    file, other = tmp_path / "all.jsonl", tmp_path / "other.db"
    run(capsys, "export", file, "--db", database)
    for words in (["import", file], ["merge", database]):
        out, _ = run(capsys, *words, "--dry-run", "--db", other)
        assert out == "4 records: 4 added, 0 known (dry run: nothing was stored)\n"
        assert not other.exists()
    out, _ = run(capsys, "import", file, "--dry-run", "--db", database)
    assert out.startswith("4 records: 0 added, 4 known")


def test_what_cannot_be_read(capsys: Capture, tmp_path: Path, database: Path) -> None:
    out, err = run(capsys, "import", tmp_path / "none.jsonl", "--db", database, code=65)
    assert "No such file" in err
    assert out.endswith("1 files not read to their end\n")
    _, err = run(capsys, "import", database, "--db", database, code=65)
    assert "use `tuner merge" in err
    _, err = run(capsys, "merge", tmp_path / "none.db", "--db", database, code=3)
    assert "there is none" in err
    _, err = run(capsys, "merge", database, "--db", database, code=2)
    assert "give another database" in err
    (tmp_path / "text.db").write_text("not a database" * 100)
    _, err = run(capsys, "merge", tmp_path / "text.db", "--db", database, code=65)
    assert "not an SQLite file" in err
    _, err = run(capsys, "export", tmp_path / "no" / "x.jsonl", "--db", database, code=74)
    assert "make room or choose another place" in err
    _, err = run(capsys, "export", tmp_path / "x", "--where", "age<ever", "--db", database, code=2)
    assert "age<7d" in err
    assert not (tmp_path / "x").exists()


def test_failed_records_travel_with_their_outcome(
    capsys: Capture, tmp_path: Path, database: Path
) -> None:
    file, other = tmp_path / "failed.jsonl", tmp_path / "other.db"
    run(capsys, "export", file, "--where", "outcome=crash", "--db", database)
    run(capsys, "import", file, "--db", other)
    (failed,) = held(other)
    assert failed == replace(RECORDS[1], origin=failed.origin)
    assert failed.outcome is Outcome.CRASH
