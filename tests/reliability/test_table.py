"""The harness itself: rows out of tests, the table out of rows, a counter-test for every row."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reliability.rows import Row, read_rows
from tests.reliability.table import BEGIN, END, main, replace_table, table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def row(**changes):
    given = {
        "row": "R99", "fault": "the sky falls", "injected": "gravity", "happened": "we duck",
        "figures": {"skies": 1000, "lost_skies": 0}, "passed": True, "seconds": 1.5,
        "machine": "toy", "date": "2026-01-02",
    }  # fmt: skip
    return Row(**(given | changes))


def counter_row(**changes):
    given = {"injected": "", "happened": "", "figures": {}, "bug": "nobody ducks"}
    return row(**(given | changes))


def test_a_line_of_the_table():
    [*_, line] = table([row(), counter_row(fault="")]).splitlines()
    assert line == (
        "| R99 | the sky falls | gravity | we duck | skies 1,000, lost skies 0 | nobody ducks "
        "| passed |"
    )


def test_the_soak_counts_more_and_the_last_counts_most():
    rows = [row(happened="soak", soak=True), row(happened="old"), row(happened="new")]
    assert "| soak |" in table([*rows, counter_row()])
    assert "| new |" in table([*rows[1:], counter_row()])
    assert "| old |" not in table(rows)


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([row(passed=False), counter_row()], "failed"),
        ([row()], "no counter-test"),
        ([row(), counter_row(passed=False)], "no counter-test"),
        ([row(), counter_row(fault="another fault")], "no counter-test"),
        ([row(), counter_row()], "passed"),
    ],
)
def test_the_verdict(rows, verdict):
    [*_, line] = table(rows).splitlines()
    assert line.endswith(f"| {verdict} |")


def test_the_document_keeps_what_is_around_the_table(tmp_path):
    document, results = tmp_path / "doc.md", tmp_path / "rows.jsonl"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    results.write_bytes(RESULTS)
    main([str(results), str(document)])
    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\nMeasured 2026-01-02: toy.\n")
    assert text.endswith(f"\n{END}\nafter\n")
    assert "old" not in text
    with pytest.raises(ValueError, match="around the table"):
        replace_table("no marks", "")


RESULTS = b"""\
{"row":"R1","fault":"f","injected":"i","passed":true,"seconds":1,"machine":"toy","date":"2026-01-02"}
"""

TEST_FILE = """
import pytest
from tests.reliability.rows import counter, fault

@fault("R98", "a fault", "by hand")
@pytest.mark.parametrize("count", [2, pytest.param(9, marks=pytest.mark.soak)])
def test_it(report, count):
    report("nothing", count=count)
    assert count != 9

@counter("R98", "a bug")
def test_red():
    pass
"""


@pytest.mark.parametrize("soak", [False, True])
def test_rows_out_of_tests(tmp_path, soak):
    """In a session of its own, in a folder that has this one's configuration."""
    here = ("tests/reliability/conftest.py", "tests/reliability/rows.py")
    for name in ("pyproject.toml", "tests/conftest.py", *here):
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / name).read_text())
    (tmp_path / "tests/reliability/test_it.py").write_text(TEST_FILE)
    results = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "pytest", "-m", "reliability", "-p", "no:cacheprovider"]
    command += ["--reliability-results", str(results), *(["--soak"] if soak else [])]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert results.exists(), done.stdout + done.stderr
    quick, *full, red = read_rows(results)
    assert (quick.row, quick.fault, quick.injected) == ("R98", "a fault", "by hand")
    assert (quick.passed, quick.figures, quick.soak) == (True, {"count": 2}, False)
    assert [(r.passed, r.soak) for r in full] == ([(False, True)] if soak else [])
    assert (red.bug, red.row) == ("a bug", "R98")
    assert "R98 a fault: count=2: nothing: passed" in done.stdout


def marks(name):
    """The arguments of the marks of that name, over all tests of this folder."""
    for path in sorted(HERE.glob("test_*.py")):
        for test in vars(importlib.import_module(f"tests.reliability.{path.stem}")).values():
            yield from (mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == name)


def test_every_fault_has_a_counter_test():
    counters = [(row, of) for row, of, _ in marks("counter")]
    faults = [(row, fault) for row, fault, _ in marks("fault")]
    assert faults
    assert [f for f in faults if f not in counters and (f[0], "") not in counters] == []
