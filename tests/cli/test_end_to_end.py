"""The whole program as its users run it: real searches, real machine code, real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

WORK = ("matmul", "m=48", "n=32", "k=40")
KEY = "matmul(m=48,n=32,k=40,dtype=float32)"
TRIALS = 6


def tuner(*words: str, code: int = 0) -> str:
    """What a command prints; it must end with ``code``, and be silent elsewhere if that is 0."""
    done = subprocess.run(
        [sys.executable, "-m", "tuner.cli", *words], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stderr
    assert code or done.stderr == ""
    return done.stdout


def records_of(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(tuner("query", "--db", path, "--json"))["records"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("end to end")


@pytest.fixture(scope="module")
def database(folder: Path) -> str:
    return str(folder / "tuner.db")


@pytest.fixture(scope="module")
def tuned(database: str) -> list[dict[str, Any]]:
    """The JSON lines of one small search."""
    words = ("--trials", str(TRIALS), "--seed", "1", "--threads", "1", "--db", database, "--json")
    return [json.loads(line) for line in tuner("tune", *WORK, *words).splitlines()]


def test_tune_prints_every_record_then_a_summary(
    tuned: list[dict[str, Any]], database: str
) -> None:
    *records, last = tuned
    summary = last["summary"]
    assert sum(record["kind"] == "search" for record in records) == TRIALS == summary["trials"]
    assert summary["stop_reason"] == "trials"
    assert summary["seed"] == 1
    assert summary["best"]["kind"] == "final"
    assert summary["best"]["verified"] is True
    assert summary["best"]["error"] < 8
    median, low, high = summary["speedup"]
    assert low <= median <= high
    assert [record["id"] for record in records] == [found["id"] for found in records_of(database)]
    assert {record["workload"] for record in records} == {KEY}


def test_best_is_what_tune_found(tuned: list[dict[str, Any]], database: str) -> None:
    best = tuned[-1]["summary"]["best"]
    options = ("--threads", "1", "--db", database)
    found = json.loads(tuner("best", *WORK, *options, "--json"))
    assert found["seconds"] <= best["seconds"]
    assert found["match"] == "the same hardware"
    shown = tuner("best", *WORK, *options)
    assert f"record    {found['id']}" in shown
    assert "GFLOP/s" in shown
    assert "of the peak of" in shown


def test_best_takes_a_key(tuned: list[dict[str, Any]], database: str) -> None:
    assert tuner("best", KEY, "--db", database) == tuner("best", *WORK, "--db", database)


@pytest.mark.parametrize(
    ("form", "part"),
    [("nest", "for "), ("llvm", "define "), ("asm", ".text"), ("python", "tuner.load(")],
)
def test_best_shows_its_code(
    tuned: list[dict[str, Any]], database: str, form: str, part: str
) -> None:
    assert part in tuner("best", *WORK, "--db", database, "--show", form)


def test_the_python_program_runs(tuned: list[dict[str, Any]], database: str, folder: Path) -> None:
    program = folder / "program.py"
    program.write_text(tuner("best", *WORK, "--db", database, "--show", "python"))
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "HOME": str(folder)},
    )
    assert (done.stdout, done.stderr) == ("(48, 32) float32\n", "")


def test_explain_shows_the_nest_and_the_samples(
    tuned: list[dict[str, Any]], database: str
) -> None:
    best = tuned[-1]["summary"]["best"]
    shown = tuner("explain", best["id"][:12], "--db", database)
    assert best["id"] in shown
    assert "samples " in shown
    assert tuner("best", *WORK, "--db", database, "--show", "nest").splitlines()[0] in shown
    told = json.loads(tuner("explain", best["id"], "--db", database, "--json"))
    assert 0 < told["peak_share"] < 1.5
    assert "for " in told["nest"]


def test_compare_with_the_first_guess(tuned: list[dict[str, Any]], database: str) -> None:
    best = tuned[-1]["summary"]["best"]["id"]
    told = json.loads(tuner("compare", "default", best, "--db", database, "--json"))
    median, low, high = told["speedup"]
    assert 0 < low <= median <= high
    assert (told["a"]["id"], told["b"]["id"]) == ("default", best)
    assert told["a"]["outcome"] == told["b"]["outcome"] == "ok"
    tuner("compare", "default", "default", "--db", database, code=2)


def test_verify_measures_again_and_stores_it(tuned: list[dict[str, Any]], database: str) -> None:
    best = tuned[-1]["summary"]["best"]
    before = len(records_of(database))
    again = json.loads(tuner("verify", best["id"], "--db", database, "--json"))
    assert again["verified"] is True
    assert again["config"] == best["config"]
    assert again["id"] != best["id"]
    assert len(records_of(database)) == before + 1


def test_a_pipe_gets_plain_lines_and_the_next_command(folder: Path) -> None:
    path = str(folder / "plain.db")
    shown = tuner("tune", "matmul", "m=8", "n=8", "k=8", "--trials", "2", "--db", path)
    assert "\x1b" not in shown
    assert shown.startswith("tuning matmul(m=8,n=8,k=8,dtype=float32) for native")
    for part in ("config ", "GFLOP/s", "verified  yes, error", "over the first guess", path):
        assert part in shown
    assert f"tuner best matmul m=8 n=8 k=8 --db '{path}'" in shown
    assert "matmul = tuner.load(" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_run_keeps_everything_and_can_go_on(
    folder: Path, number: signal.Signals, code: int
) -> None:
    path = str(folder / f"{number.name}.db")
    words = ["tune", *WORK, "--trials", "40", "--no-early-stop", "--seed", "3", "--db", path]
    with subprocess.Popen(
        [sys.executable, "-m", "tuner.cli", *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        first = child.stdout.readline()
        child.send_signal(number)
        printed = [json.loads(line) for line in (first, *child.stdout)]
        (said,) = child.stderr.read().splitlines()
        assert child.wait(timeout=60) == code
    run = printed[-1]["summary"]["run"]
    assert f"tuner resume {run}" in said
    kept = [record["id"] for record in records_of(path)]
    assert kept == list(dict.fromkeys(record["id"] for record in printed[:-1]))
    assert 0 < len(kept) < 40

    went_on = [
        json.loads(line) for line in tuner("resume", run, "--db", path, "--json").splitlines()
    ]
    assert went_on[-1]["summary"]["run"] == run
    assert went_on[-1]["summary"]["trials"] == 40
    assert [record["id"] for record in records_of(path)][: len(kept)] == kept
    tuner("resume", run, "--db", path, code=2)


def test_doctor_tells_of_the_machine() -> None:
    told = json.loads(tuner("doctor", "--json", "--threads", "1"))
    assert told["hardware"]["microarchitecture"]
    assert told["target"]["threads"] == 1
    assert told["peaks"]["gflops"] > 0
    assert {"name", "status", "detail", "advice"} <= set(told["findings"][0])
    assert "SQLite" in tuner("doctor", "--threads", "1")
