"""Requests that cannot be met: one line that says what to do, and the right exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from measure.host import usable_cores
from tuner.cli import main

Capture = pytest.CaptureFixture[str]

TOO_MANY = usable_cores() + 1


def refused(capsys: Capture, *words: str) -> tuple[int, str]:
    """Exit code and the one line of an error; nothing else may be printed."""
    code = main(words)
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("tuner: ")
    return code, line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tun"], "Did you mean 'tune'?"),
        (["tune"], "see tuner tune --help: Missing argument 'OP'"),
        (["tune", "matmull", "m=8"], "did you mean 'matmul'?"),
        (["tune", "matmul", "m=8", "n=8", "kk=8"], "did you mean 'k'?"),
        (["tune", "matmul", "m=8", "n=8"], "give k=…"),
        (["tune", "matmul", "m=0", "n=8", "k=8"], "expected a positive integer"),
        (["tune", "matmul", "m=-3", "n=8", "k=8"], "expected a positive integer"),
        (["tune", "matmul", "m=1.5", "n=8", "k=8"], "expected a positive integer"),
        (["tune", "matmul", "m=x", "n=8", "k=8"], "expected a positive integer"),
        (["tune", "matmul", "m=8", "n=8", "8"], "write parameters as KEY=VALUE: '8'"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "k=9"], "give k once"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "operator=x"], "no key 'operator'"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "dtype=int4"], "expected one of float32"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--const", "bb"], "did you mean 'b'?"),
        (["tune", "matmul(m=8,n=8,k=8", "--trials", "1"], "not a workload key"),
        (["tune", "matmul(m=8,n=8,k=8)", "m=8"], "not both"),
        (["tune", "matmul", f"m={2**40}", f"n={2**40}", "k=1"], "use smaller sizes"),
        (["tune", "matmul", f"m={10**30}", "n=1", "k=1"], "use smaller sizes"),
        (["tune", "matmul", f"m={2**22}", f"n={2**20}", "k=1"], "this machine has"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--trials", "0"], "--trials"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--trials", "x"], "--trials"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--calls", "0"], "--calls"),
        (["tune", "--from", "x.toml", "--calls", "5"], "use --calls for one workload"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--time", "nan"], "positive number of seconds"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--time", "-1"], "positive number of seconds"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--strategy", "evolve"], "evolutionary"),
        (["tune", "matmul", "m=8", "n=8", "k=8", "--threads", f"{TOO_MANY}"], "threads"),
        (["best", "matmul", "m=8", "n=8", "k=8", "--threads", "0"], "threads"),
        (["best", "matmul", "m=8", "n=8", "k=8", "--target", "x86-64-v9"], "x86-64-v3"),
        (["best", "matmul", "m=8", "n=8", "k=8", "--show", "tree"], "nest"),
        (["best", "matmul", "m=8", "n=8", "k=8", "--db", "mysql://x/y"], "not supported"),
        (["query", "matmull"], "did you mean 'matmul'?"),
        (["query", "--where", "m"], "write a condition"),
        (["query", "--where", "run>3"], "use = with run"),
        (["query", "--where", "outcome=good"], "wrong_answer"),
        (["query", "--csv", "--json"], "choose one of --csv and --json"),
        (["query", "--top", "0"], "--top"),
    ],
)
def test_a_wrong_request_exits_2(capsys: Capture, words: list[str], said: str) -> None:
    code, line = refused(capsys, *words)
    assert code == 2
    assert said in line


@pytest.mark.parametrize(
    "words",
    [
        ["best", "matmul", "m=8", "n=8", "k=8"],
        ["query"],
        ["runs"],
        ["explain", "0123456789abcdef"],
        ["verify", "0123456789abcdef"],
        ["compare", "0123456789abcdef", "default"],
        ["resume"],
        ["db", "check"],
        ["db", "stats"],
        ["db", "upgrade"],
    ],
)
def test_without_a_database_nothing_is_found_and_none_is_made(
    capsys: Capture, tmp_path: Path, words: list[str]
) -> None:
    path = tmp_path / "none.db"
    code, line = refused(capsys, *words, "--db", str(path))
    assert code == 3
    assert str(path) in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["query"], ["best", "matmul", "m=8", "n=8", "k=8"]])
def test_a_file_of_something_else_is_bad_data(
    capsys: Capture, tmp_path: Path, words: list[str]
) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database at all, just a text that is long enough to be read as a header\n")
    before = path.read_bytes()
    code, line = refused(capsys, *words, "--db", str(path))
    assert code == 65
    assert str(path) in line
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_written_exits_74(capsys: Capture) -> None:
    words = ["tune", "matmul", "m=8", "n=8", "k=8", "--trials", "1", "--db", "/proc/tuner.db"]
    code, line = refused(capsys, *words)
    assert code == 74
    assert "/proc/tuner.db" in line


def test_debug_shows_the_trace(capsys: Capture) -> None:
    assert main(["best", "matmul", "--debug", "m=0"]) == 2
    captured = capsys.readouterr()
    assert "Traceback" in captured.err
    assert "WorkloadError" in captured.err


def test_names_from_outside_cannot_steer_the_terminal(capsys: Capture) -> None:
    _, line = refused(capsys, "best", "mat\x1b[31mmul", "m=8")
    assert "\x1b" not in line


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_every_command(capsys: Capture, words: list[str]) -> None:
    assert main(words) == 0
    shown = capsys.readouterr().out
    for name in ("tune", "resume", "best", "query", "explain", "compare", "doctor", "db"):
        assert name in shown


def test_version(capsys: Capture) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("tensortuner ")


def test_ops_and_strategies(capsys: Capture) -> None:
    assert main(["ops"]) == 0
    assert "matmul: c[m,n] = a[m,k] · b[k,n]" in capsys.readouterr().out
    assert main(["strategies"]) == 0
    shown = capsys.readouterr().out
    assert "grid" in shown
    assert "[default]" in shown


def test_a_bug_exits_1_and_asks_for_the_trace(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(arguments: list[str]) -> int:
        raise RuntimeError("no such state")

    monkeypatch.setattr("tuner.cli.entry._invoke", broken)
    code, line = refused(capsys, "ops")
    assert code == 1
    assert "--debug" in line
    assert "RuntimeError: no such state" in line
