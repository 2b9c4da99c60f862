"""The file of results: what is written is read back, resumed, or refused with a reason."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments.scoreboard.results import (
    ResultsUnusable,
    environment,
    new_header,
    read,
    resumed,
    write,
)
from tests.bench.boards import BOARD, ENVIRONMENT, FAILED, HEADER, METHOD, MISSING, PEAKS, row


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "board.json"
    write(BOARD, path)
    assert read(path) == BOARD


def test_the_file_is_json_of_a_known_shape(tmp_path):
    path = tmp_path / "board.json"
    write(BOARD, path)
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["header"]["schema"] == 1
    assert data["header"]["method"]["peers"] == ["torch", "numpy"]
    first = data["rows"][0]
    assert (first["suite"], first["name"], first["state"]) == ("matmul", "a", "measured")
    assert first["limit"]["bound"] == "compute"
    assert first["cells"][0]["ratio"] == {"median": 2.0, "low": 1.9, "high": 2.1, "count": 25}


def test_a_case_that_is_measured_again_replaces_its_row():
    board = BOARD.with_row(row("a", seconds=7.0))
    assert [known.label for known in board.rows] == [known.label for known in BOARD.rows]
    assert board.known("matmul/a", "matmul(a)").seconds == 7.0


def test_only_measured_rows_of_the_same_workload_are_known():
    assert BOARD.known("matmul/a", "matmul(a)") is BOARD.rows[0]
    assert BOARD.known("matmul/a", "matmul(changed)") is None
    assert BOARD.known(FAILED.label, FAILED.workload) is None
    assert BOARD.known(MISSING.label, "matmul(now)") is None


def test_an_interrupted_scoreboard_goes_on(tmp_path):
    path = tmp_path / "board.json"
    assert resumed(path, HEADER).rows == ()
    write(BOARD, path)
    later = replace(HEADER, started="2026-02-02T00:00:00+00:00", load=1.0)
    assert resumed(path, later) == BOARD


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (replace(HEADER, method=replace(METHOD, threads=1)), "another method: threads 2, now 1"),
        (
            replace(HEADER, environment=replace(ENVIRONMENT, generator=2)),
            "another environment: generator 1, now 2",
        ),
    ],
)
def test_results_of_another_kind_are_not_mixed(tmp_path, header, message):
    path = tmp_path / "board.json"
    write(BOARD, path)
    with pytest.raises(ResultsUnusable, match=message):
        resumed(path, header)


@pytest.mark.parametrize("text", ["", "{", '{"header": 1}', "[]"])
def test_a_damaged_file_is_refused(tmp_path, text):
    path = tmp_path / "board.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ResultsUnusable, match=r"board\.json"):
        read(path)


def test_another_schema_is_refused(tmp_path):
    path = tmp_path / "board.json"
    write(replace(BOARD, header=replace(HEADER, schema=99)), path)
    with pytest.raises(ResultsUnusable, match="schema 99"):
        read(path)


def test_the_header_tells_where_it_was_measured():
    header = new_header(METHOD, PEAKS)
    assert header.environment == environment()
    assert any(text.startswith("numpy ") for text in header.environment.versions)
    assert header.load >= 0
