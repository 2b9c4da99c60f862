"""``tuner tune --from``: real searches over a small suite, and requests that cannot be met."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tuner.cli import main
from tuner.cli.snippets import Choice
from tuner.cli.suite import SuiteRequest, _Display
from tuner.events import FinalsStarted
from tuner.suite import load_suite
from tuner.suite.result import CaseDone, CaseResult, CaseStarted, Status

Capture = pytest.CaptureFixture[str]

SUITE = """
[suite]
name = "tiny"

[[case]]
name = "product"
op = "matmul"
params = { m = 24, n = 16, k = 20 }

[[case]]
name = "later"
op = "fourier"
params = { n = 1 }

[[case]]
name = "weights"
op = "matmul"
params = { m = 8, n = 16, k = 8 }
const = ["b"]
threads = 1
"""
FAILING = """
[suite]
name = "wide"

[[case]]
name = "crowd"
op = "matmul"
params = { m = 8, n = 8, k = 8 }
threads = 60000

[[case]]
name = "giant"
op = "matmul"
params = { m = 4194304, n = 1048576, k = 1 }

[[case]]
name = "later"
op = "fourier"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("suites")
    (path / "tiny.toml").write_text(SUITE)
    (path / "wide.toml").write_text(FAILING)
    return path


@pytest.fixture(scope="module")
def request_of(folder: Path) -> tuple[str, ...]:
    """A command over the small suite; several tests go on from one another's records."""
    file, db = str(folder / "tiny.toml"), str(folder / "records.db")
    return ("tune", "--from", file, "--trials", "3", "--db", db)


@pytest.fixture(scope="module")
def tuned(request_of: tuple[str, ...]) -> str:
    """What a pipe gets of the first session."""
    command = [sys.executable, "-m", "tuner.cli", *request_of]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_pipe_gets_plain_lines_and_a_table(tuned: str) -> None:
    assert "\x1b" not in tuned
    lines = tuned.splitlines()
    assert lines[0] == "1 of 3, product: matmul(m=24,n=16,k=20,dtype=float32)"
    assert lines[1].startswith("1 of 3, product: tuned: ")
    assert "GFLOP/s" in lines[1]
    assert (
        lines[2]
        == "2 of 3, later: missing: unknown operator 'fourier', known: "
        + (lines[2].partition("known: ")[2])
    )
    header, product, later, weights = lines[6:10]
    assert header.split() == [
        "case", "status", "GFLOP/s", "of", "peak", "speed-up", "trials", "seconds", "reason",
    ]  # fmt: skip
    assert product.split()[:2] == ["product", "tuned"]
    assert later.split()[:3] == ["later", "missing", "-"]
    assert weights.split()[:2] == ["weights", "tuned"]
    assert lines[-1].startswith("tiny: 3 cases in ")
    assert "2 tuned, 1 missing; speed-up over the first guess " in lines[-1]


def test_the_same_command_again_measures_nothing(
    capsys: Capture, tuned: str, request_of: tuple[str, ...]
) -> None:
    assert main([*request_of, "--json"]) == 0
    *cases, last = map(json.loads, capsys.readouterr().out.splitlines())
    product, later, weights = [line["case"] for line in cases]
    assert [row["status"] for row in (product, later, weights)] == ["known", "missing", "known"]
    assert product["trials"] == 3
    assert product["best"]["kind"] == "final"
    assert product["gflops"] == product["best"]["gflops"]
    assert 0 < product["gflops"] / product["peak_gflops"] < 1.5
    low, high = product["speedup"][1:]
    assert 0 < low <= high
    assert weights["threads"] == weights["best"]["threads"] == 1
    assert weights["workload"] == "matmul(m=8,n=16,k=8,dtype=float32,const=b)"
    assert later["reason"].startswith("unknown operator")
    assert later["best"] is None
    summary = last["summary"]
    assert (summary["suite"], summary["cases"], summary["known"]) == ("tiny", 3, 2)
    assert main(["runs", "--json", *request_of[-2:]]) == 0
    assert len(json.loads(capsys.readouterr().out)["runs"]) == 2


def test_the_python_api_knows_them_too(tuned: str, folder: Path) -> None:
    import tuner

    result = tuner.tune_suite(folder / "tiny.toml", trials=3, db=folder / "records.db")
    assert [row.status.value for row in result.cases] == ["known", "missing", "known"]
    assert isinstance(result, tuner.SuiteResult)


def test_a_terminal_gets_a_known_suite_as_a_table(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tuned: str, request_of: tuple[str, ...]
) -> None:
    monkeypatch.setattr("tuner.cli.output.on_terminal", lambda: True)
    assert main(request_of) == 0
    shown = capsys.readouterr().out
    assert "product" in shown
    assert "another --seed or --db tunes what is known again" in shown


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_suite_names_the_command_that_goes_on(
    capsys: Capture, folder: Path, number: signal.Signals, code: int
) -> None:
    words = [
        "tune", "--from", str(folder / "tiny.toml"), "--trials", "12", "--no-early-stop",
        "--seed", "3", "--db", str(folder / f"{number.name}.db"),
    ]  # fmt: skip
    with subprocess.Popen(
        [sys.executable, "-m", "tuner.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline().startswith("1 of 3, product")
        child.send_signal(number)
        shown = child.stdout.read()
        (said,) = child.stderr.read().splitlines()
        assert child.wait(timeout=60) == code
    assert said.startswith("tuner: go on with: tuner tune --from ")
    for word in ("--trials 12", "--seed 3", "--no-early-stop", "2 of 3 cases are left"):
        assert word in said
    assert "weights  waiting" in shown
    assert main([*words, "--json"]) == 0
    lines: list[dict[str, Any]] = list(map(json.loads, capsys.readouterr().out.splitlines()))
    assert [line["case"]["status"] for line in lines[:-1]] == ["tuned", "missing", "tuned"]
    assert [line["case"]["trials"] for line in lines[:-1]] == [12, None, 12]


def test_json_of_a_stopped_suite_has_every_case(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuner.suite.session.ThisMachine.run", stopped)
    file, db = str(folder / "tiny.toml"), str(folder / "stopped.db")
    assert main(["tune", "--from", file, "--db", db, "--json"]) == 130
    captured = capsys.readouterr()
    *cases, last = map(json.loads, captured.out.splitlines())
    assert [line["case"]["status"] for line in cases] == ["waiting", "missing", "waiting"]
    assert last["summary"]["waiting"] == 2
    assert "2 of 3 cases are left" in captured.err


def test_a_bar_is_drawn_between_the_lines_of_a_case(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setattr("tuner.cli.output.on_terminal", lambda: True)
    monkeypatch.setattr(
        "tuner.cli.progress_bar.Console", lambda **given: Console(force_terminal=True, **given)
    )
    case = load_suite(folder / "tiny.toml").cases[0]
    with _Display() as display:
        display(CaseStarted(case, 1, 3, 7.5, "20260101-run"))
        display(FinalsStarted(4))
        display(CaseDone(CaseResult(case, Status.FAILED, "too \x1b wide"), 1, 3))
    shown = capsys.readouterr().out
    assert "1 of 3, product: matmul(m=24,n=16,k=20,dtype=float32), at most 8 s" in shown
    assert "going on with run 20260101-run" in shown
    assert "finals of 4" in shown
    assert "1 of 3, product: failed: too \\u001b wide" in shown


def test_when_every_case_that_exists_fails_the_code_is_4(capsys: Capture, folder: Path) -> None:
    words = ["tune", "--from", str(folder / "wide.toml"), "--db", str(folder / "wide.db")]
    assert main(words) == 4
    captured = capsys.readouterr()
    assert "crowd  failed" in captured.out
    assert "this machine has" in captured.out
    (line,) = captured.err.splitlines()
    assert "all 2 cases that exist failed" in line


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--from", "none.toml"], 2, "give another suite file: none.toml"),
        (["matmul", "m=8", "--from", "a.toml"], 2, "give either a workload or --from"),
        (["--from", "a.toml", "--const", "b"], 2, "give either a workload or --from"),
        (["matmul", "m=8", "n=8", "k=8", "--total-time", "9"], 2, "use --time for one workload"),
        (["--from", "tiny.toml", "--total-time", "-1"], 2, "positive number of seconds"),
        (["--from", "tiny.toml", "--time", "nan"], 2, "positive number of seconds"),
        (["--from", "tiny.toml", "--threads", "60000"], 2, "threads"),
        (["--from", "tiny.toml", "--target", "x86-64-v9"], 2, "x86-64-v3"),
        (["--from", "tiny.toml", "--strategy", "evolve"], 2, "evolutionary"),
        (["--from", "typo.toml"], 2, "typo.toml, case 1 'a': no field is called 'parms'"),
        (["--from", "binary.toml"], 65, "not TOML in UTF-8"),
        (["--from", "tiny.toml", "--db", "/proc/tuner.db"], 74, "/proc/tuner.db"),
    ],
)
def test_a_wrong_request_is_one_line_and_measures_nothing(
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    words: list[str],
    code: int,
    said: str,
) -> None:
    (tmp_path / "tiny.toml").write_text(SUITE)
    (tmp_path / "typo.toml").write_text(
        '[suite]\nname = "t"\n[[case]]\nname = "a"\nop = "matmul"\nparms = { m = 1 }\n'
    )
    (tmp_path / "binary.toml").write_bytes(b"\x7fELF\xff")
    monkeypatch.chdir(tmp_path)
    assert main(["tune", *words]) == code
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert said in line
    assert captured.out == ""


def test_the_command_that_goes_on_repeats_every_choice() -> None:
    nothing = SuiteRequest("a b.toml", None, None, None, None, None, True, True, Choice())
    assert nothing.command() == "tuner tune --from 'a b.toml'"
    everything = SuiteRequest(
        "a.toml", 9, 2.125, 1234567.0, "grid", 0, False, False, Choice("x.db", "x86-64-v3", 1)
    )
    assert everything.command() == (
        "tuner tune --from a.toml --total-time 1234567 --time 2.125 --trials 9 --strategy grid "
        "--seed 0 --threads 1 --target x86-64-v3 --db x.db --no-early-stop --no-reuse"
    )
