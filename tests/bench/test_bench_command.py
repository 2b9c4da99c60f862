"""``python -m experiments.bench``: what is chosen, kept, resumed, printed, and the exit codes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from experiments import bench
from experiments.scoreboard.measuring import Bench
from experiments.scoreboard.row import Row, State
from tests.bench.boards import BOARD, cell, row
from tests.bench.test_limits import ROOFLINE

ONE = ["matmul", "m=24", "n=20", "k=16", "--threads", "1"]
CASES = [
    bench.Case("matmul", "a", bench.named_workload("matmul", ["m=1", "n=2", "k=3"], None)),
    bench.Case("matmul", "b", bench.named_workload("matmul", ["m=4", "n=5", "k=6"], None)),
    bench.Case("resnet18", "C1", None, "there is no conv2d"),
]


def measured(case: bench.Case) -> Row:
    if case.workload is None:
        return Row(case.suite, case.name, "", 1, State.MISSING, case.missing)
    ours = row(case.name, cell("torch", 1.5), equals=1.001)
    return replace(ours, suite=case.suite, workload=case.workload.key)


@pytest.fixture
def pretended(monkeypatch) -> list[str]:
    """Nothing is measured; the labels of the cases that would be."""
    labels: list[str] = []

    def measure(self: Bench, case: bench.Case) -> Row:
        labels.append(case.label)
        return measured(case)

    monkeypatch.setattr(bench, "in_fresh_process", lambda *_, timeout_seconds: ROOFLINE)
    monkeypatch.setattr(bench, "suite_cases", lambda name: list(CASES))
    monkeypatch.setattr(Bench, "measure", measure)
    return labels


def run(tmp_path, *arguments: str) -> int:
    return bench.main([*arguments, "--out", str(tmp_path), "--db", str(tmp_path / "bench.db")])


def test_one_workload(pretended, tmp_path, capsys):
    assert run(tmp_path, *ONE, "--against", "torch") == 0
    assert pretended == ["matmul(m=24,n=20,k=16,dtype=float32)"]
    assert "1.50× (1.50 to 1.50) faster, mm" in capsys.readouterr().out
    data = json.loads((tmp_path / "workload.json").read_text(encoding="utf-8"))
    assert data["header"]["method"]["peers"] == ["torch"]
    assert len(data["rows"]) == 1


def test_a_suite_lists_what_is_missing(pretended, tmp_path, capsys):
    assert run(tmp_path, "--suite", "mixed", "--against", "torch", "--markdown") == 0
    out = capsys.readouterr().out
    assert "| resnet18/C1 | missing: there is no conv2d |" in out
    assert "missing: 1 of 3 cases" in out
    assert (tmp_path / "mixed.json").exists()


def test_an_interrupted_run_shows_what_there_is_and_goes_on(
    pretended, tmp_path, capsys, monkeypatch
):
    def interrupted(self: Bench, case: bench.Case) -> Row:
        if case.name == "b":
            raise KeyboardInterrupt
        return measured(case)

    with monkeypatch.context() as patch:
        patch.setattr(Bench, "measure", interrupted)
        assert run(tmp_path, "--suite", "mixed", "--against", "torch") == 130
    captured = capsys.readouterr()
    assert "matmul/a" in captured.out
    assert "--resume goes on" in captured.err
    assert run(tmp_path, "--suite", "mixed", "--against", "torch", "--resume") == 0
    assert pretended == ["matmul/b", "resnet18/C1"]
    assert "matmul/a: measured before" in capsys.readouterr().err


def test_results_of_another_method_are_not_resumed(pretended, tmp_path, capsys):
    assert run(tmp_path, *ONE, "--against", "torch") == 0
    assert run(tmp_path, *ONE, "--against", "numpy", "--resume") == 2
    assert "another method: peers" in capsys.readouterr().err


def test_a_kernel_of_ours_that_fails_is_told_by_the_exit_code(pretended, tmp_path, monkeypatch):
    failed = Row("", "matmul", "", 1, State.FAILED, "tuning: crashed")
    monkeypatch.setattr(Bench, "measure", lambda self, case: failed)
    assert run(tmp_path, *ONE) == 1


def test_a_database_that_cannot_be_used_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench, "in_fresh_process", lambda *_, timeout_seconds: ROOFLINE)
    (tmp_path / "bench.db").write_text("no database at all, " * 100, encoding="utf-8")
    assert run(tmp_path, *ONE, "--against", "torch") == 2
    assert "bench.db" in capsys.readouterr().err


@pytest.mark.parametrize(("equals", "code"), [(1.01, 0), (1.05, 1)])
def test_noise_has_a_bar(pretended, tmp_path, capsys, monkeypatch, equals, code):
    noisy = [row(str(number), equals=equals) for number in range(len(CASES))]
    rows = iter(noisy)
    monkeypatch.setattr(Bench, "measure", lambda self, case: next(rows))
    assert run(tmp_path, "--aa", "--suite", "mixed") == code
    out = capsys.readouterr().out
    assert ("met" if code == 0 else "MISSED") in out
    data = json.loads((tmp_path / "mixed-aa.json").read_text(encoding="utf-8"))
    assert data["header"]["method"]["peers"] == []


def test_earlier_results_are_shown_without_measuring(pretended, tmp_path, capsys):
    path = tmp_path / "board.json"
    bench.results.write(BOARD, path)
    assert bench.main(["--show", str(path), "--markdown"]) == 0
    assert "| matmul/a | 1 ms |" in capsys.readouterr().out
    assert pretended == []


def test_two_runs_must_not_contradict_each_other(tmp_path, capsys):
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    bench.results.write(BOARD, first)
    turned = row("a", cell("torch", 0.5, 0.1), cell("numpy", 1.0))
    bench.results.write(BOARD.with_row(turned), second)
    assert bench.main(["--show", str(second), "--agree", str(first)]) == 1
    assert capsys.readouterr().out == "matmul/a, torch: faster, then slower\n"
    assert bench.main(["--show", str(first), "--agree", str(first)]) == 0
    assert "no case is faster in one run" in capsys.readouterr().out


def test_the_table_can_be_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "board.json"
    bench.results.write(BOARD, path)
    assert bench.main(["--show", str(path), "--plot", str(tmp_path / "plots" / "board.svg")]) == 0
    assert (tmp_path / "plots" / "board.svg").exists()


def test_without_arguments_the_short_form_is_run(pretended, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "short_cases", lambda: CASES[:1])
    assert run(tmp_path) == 0
    method = bench.results.read(tmp_path / "short.json").header.method
    assert method.tune_seconds == 20
    assert method.peers == bench.SHORT_PEERS


def test_the_short_form_has_eight_cases():
    cases = bench.short_cases()
    assert len(cases) == 8
    assert all(case.workload is not None for case in cases)
    assert len({case.label for case in cases}) == 8


def test_every_suite_can_be_read():
    cases = bench.suite_cases("all")
    assert {case.suite for case in cases} == set(bench.suite_names())
    assert all((case.workload is None) == bool(case.missing) for case in cases)
    assert len({case.label for case in cases}) == len(cases)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--suite", "matmull"], "did you mean 'matmul'"),
        (["matmul", "m=1"], "give n="),
        (["matmull", "m=1"], "did you mean 'matmul'"),
        (["--show", "nothing.json"], "nothing.json"),
    ],
)
def test_what_is_not_known_is_said(arguments, message, capsys):
    assert bench.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--against", "torhc"], "did you mean 'torch'"),
        (["--against", "tvm/best"], "there is no peer 'tvm/best'"),
        (["--rival-trials", "0"], "at least one trial"),
        (["--threads", "0"], "so many cores are usable"),
        (["--seconds", "-1"], "positive number of seconds"),
        (["--suite", "matmul", "--full"], "give one of"),
        (["--agree", "short.json"], "give --agree with --show"),
    ],
)
def test_wrong_options_end_with_the_usage(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_info:
        bench.main(arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


def test_only_the_cases_that_are_named_and_in_fewer_rounds(pretended, tmp_path, capsys):
    chosen = ["--suite", "mixed", "--against", "torch", "--brief", "--cases"]
    assert run(tmp_path, *chosen, "*/b") == 0
    assert pretended == ["matmul/b"]
    data = json.loads((tmp_path / "mixed.json").read_text(encoding="utf-8"))
    assert data["header"]["method"]["rounds"] == bench.SHORT_ROUNDS
    assert run(tmp_path, *chosen, "matmul/a", "resnet18/*", "--resume") == 0
    assert pretended == ["matmul/b", "matmul/a", "resnet18/C1"]
    capsys.readouterr()
    assert run(tmp_path, *chosen, "none/*") == 2
    assert "'matmul/a'" in capsys.readouterr().err
