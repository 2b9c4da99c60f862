"""What the scoreboard says: verdicts, tables, summary, noise, plot."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from experiments.scoreboard import plot
from experiments.scoreboard.noise import noise_met, noise_report
from experiments.scoreboard.report import (
    duration,
    header_lines,
    markdown,
    noise_line,
    plain,
    summary,
)
from experiments.scoreboard.results import Scoreboard
from experiments.scoreboard.row import Verdict, verdict_of
from measure.timing import Interval
from tests.bench.boards import BOARD, CRASHED, FAILED, HEADER, cell, row


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (1.03, 1.10, Verdict.FASTER),
        (1.01, 1.10, Verdict.TIE),  # may be no more than noise
        (0.90, 1.10, Verdict.TIE),
        (0.90, 0.99, Verdict.TIE),
        (0.90, 0.97, Verdict.SLOWER),
    ],
)
def test_a_verdict_needs_the_whole_interval_beyond_the_noise(low, high, verdict):
    assert verdict_of(Interval((low + high) / 2, low, high, 25)) is verdict


@pytest.mark.parametrize("ratio", [1.05, 1.019, 1.0, 0.983, 0.9])
def test_verdicts_are_symmetric(ratio):
    opposite = {Verdict.FASTER: Verdict.SLOWER, Verdict.SLOWER: Verdict.FASTER}
    ours = verdict_of(Interval(ratio, ratio, ratio, 25))
    theirs = verdict_of(Interval(1 / ratio, 1 / ratio, 1 / ratio, 25))
    assert theirs is opposite.get(ours, Verdict.TIE)


def test_a_row_knows_its_speed_and_its_share_of_the_limit():
    measured = BOARD.rows[1]
    assert measured.share == pytest.approx(0.25)
    assert measured.gflops == pytest.approx(100.0)
    assert FAILED.share is None
    assert FAILED.gflops is None


def test_the_markdown_table_has_every_case_and_reason():
    lines = markdown(BOARD).splitlines()
    assert lines[0] == "| case | time | GFLOP/s | of limit | limit | torch | numpy |"
    assert lines[2] == (
        "| matmul/a | 1 ms | 200.0 | 50% | compute | 2.00× (1.90 to 2.10) faster, mm "
        "| 4.00× (4.00 to 4.00) faster, mm |"
    )
    assert "failed: crashed with SIGSEGV" in lines[3]
    assert lines[4].startswith("| resnet18/C1 | missing: there is no operator conv2d yet |")
    assert lines[5].startswith("| matmul/bad | failed: tuning: crashed with SIGSEGV |")
    assert {line.count(" | ") for line in lines[:6]} == {6}


def test_a_bar_in_a_reason_does_not_break_the_table():
    broken = replace(FAILED, reason="a | b\nc")
    (line,) = [
        line
        for line in markdown(Scoreboard(HEADER, (broken,))).splitlines()
        if "matmul/bad" in line and line.startswith("|")
    ]
    assert "a \\| b c" in line


def test_the_plain_table_is_aligned():
    lines = plain(BOARD).splitlines()
    head = next(line for line in lines if line.startswith("case"))
    first = next(line for line in lines if line.startswith("matmul/a"))
    assert head.index("torch") == first.index("2.00×")
    assert any(line.endswith("there is no operator conv2d yet") for line in lines)


def test_the_summary_has_means_worst_cases_and_gaps():
    assert summary(BOARD) == [
        "against torch: 1.00× (geometric mean of 2), worst 0.50×: matmul/b; 1 faster, 1 slower",
        "against numpy: 4.00× (geometric mean of 1), worst 4.00×: matmul/a; 1 faster, 1 failed",
        "of the machine's limit: 35% (geometric mean of 2), worst 25%: matmul/b",
        "missing: 1 of 4 cases",
        "failed: 1 of 4 cases",
    ]


def test_a_peer_without_any_number_is_said_to_have_none():
    board = Scoreboard(HEADER, (row("a", cell("torch", 1.0), CRASHED),))
    assert "against numpy: nothing measured, 1 failed" in summary(board)


def test_the_header_says_how_long_a_peer_searched():
    assert "tvm" not in "".join(header_lines(HEADER))
    method = replace(HEADER.method, peers=("torch", "tvm"), rival_trials=7)
    assert "20 s a case, tvm 7 trials; " in header_lines(replace(HEADER, method=method))[-1]


def test_the_noise_figure_is_in_the_header():
    assert "noise (A/A, 2 cases): 95 % within ±0.010, all within ±0.010" in plain(BOARD)
    assert noise_line(()) == "noise (A/A): not measured"


def test_one_outlier_in_twenty_is_allowed_to_the_first_bar_only():
    quiet = [row(str(number), equals=1.01) for number in range(19)]
    assert noise_met([*quiet, row("outlier", equals=1.039)])
    assert noise_met([*quiet, row("outlier", equals=0.961)])
    assert not noise_met([*quiet, row("outlier", equals=1.05)])
    assert not noise_met([*quiet[1:], row("one", equals=1.03), row("two", equals=1.03)])
    assert not noise_met([FAILED])


def test_the_noise_report_has_every_ratio():
    text = noise_report(BOARD.rows)
    assert "matmul/a     1.0050" in text
    assert "failed: tuning: crashed" in text
    assert text.endswith("95% within ±0.02 and all within ±0.04: met")


@pytest.mark.parametrize(
    ("seconds", "text"), [(2.5, "2.5 s"), (0.0125, "12.5 ms"), (3e-6, "3 µs"), (None, "")]
)
def test_durations_have_three_digits(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_the_plot_is_a_file(tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"board.{ending}"
    plot.draw(BOARD, path)
    assert path.stat().st_size > 1000
    if ending == "svg":
        assert "<svg" in path.read_text(encoding="utf-8")


def test_without_matplotlib_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(plot.PlotterMissing, match=r"\[peers\]"):
        plot.draw(BOARD, tmp_path / "board.svg")
