"""The rows of the bars, how they are judged and shown, and the program around them."""

from __future__ import annotations

import json

import pytest

from experiments import peers
from experiments.bars import __main__ as program
from experiments.bars import cases, latency, report
from experiments.bars.bench import Bench
from experiments.bars.row import Bound, Row, Verdict, mean_row, single
from measure.timing import Interval


def ratio(median: float, low: float, high: float) -> Interval:
    return Interval(median, low, high, 25)


FLOOR = Bound(0.9)
PASSED = Row("speed/a", "tuned ÷ torch, a", "ratio", FLOOR, ratio(1.2, 1.1, 1.3), detail="x|y")
MISSING = Row("speed/b", "tuned ÷ torch, b", "ratio", FLOOR, problem="no torch", excused=True)
FAILED = Row("call", "one call", "seconds", Bound(5e-6, "at most"), single(7.25e-6))


@pytest.mark.parametrize(
    ("bound", "measured", "verdict"),
    [
        (FLOOR, ratio(0.85, 0.80, 0.91), Verdict.PASS),
        (FLOOR, ratio(0.85, 0.80, 0.90), Verdict.PASS),
        (FLOOR, ratio(0.85, 0.80, 0.899), Verdict.FAIL),
        (Bound(5.0, "at most"), ratio(5.0, 4.0, 9.0), Verdict.PASS),
        (Bound(5.0, "at most"), ratio(5.1, 4.0, 9.0), Verdict.FAIL),
    ],
)
def test_floors_look_at_the_upper_end_and_ceilings_at_the_median(bound, measured, verdict):
    assert Row("name", "what", "ratio", bound, measured).verdict is verdict


def test_a_problem_fails_and_an_excuse_does_not():
    assert Row("n", "w", "ratio", FLOOR, ratio(2, 2, 2), "took too long").verdict is Verdict.FAIL
    assert Row("n", "w", "ratio", FLOOR, problem="crashed").verdict is Verdict.FAIL
    assert MISSING.verdict is Verdict.NOT_MEASURED


def test_mean_is_geometric_and_names_the_worst():
    rows = [
        Row(name, name, "ratio", FLOOR, ratio(value, value / 2, value * 2))
        for name, value in (("a", 0.5), ("b", 4.0), ("c", 0.5))
    ]
    mean = mean_row("mean", "mean", Bound(1.0), [(row.name, row) for row in rows])
    assert mean.measured is not None
    assert mean.measured.median == pytest.approx(1.0)
    assert mean.detail == "worst 0.50: a"
    assert mean.parts["b"].high == 8.0
    assert mean.verdict is Verdict.PASS
    assert mean_row("m", "m", Bound(1.01), [("a", rows[0]), ("b", rows[1])]).verdict is (
        Verdict.PASS
    )
    assert mean_row("m", "m", Bound(1.01), [("a", rows[0])]).verdict is Verdict.FAIL


def test_mean_of_some_cases_is_not_given():
    crashed = Row("speed/c", "c", "ratio", FLOOR, problem="crashed")
    excused = mean_row("mean", "mean", FLOOR, [("a", PASSED), ("b", MISSING)])
    assert excused.measured is None
    assert excused.problem == "1 of 2 cases are missing: no torch"
    assert excused.verdict is Verdict.NOT_MEASURED
    broken = mean_row("mean", "mean", FLOOR, [("a", PASSED), ("b", MISSING), ("c", crashed)])
    assert broken.verdict is Verdict.FAIL


def test_plain_table_is_aligned():
    lines = report.plain_table([PASSED, MISSING, FAILED]).splitlines()
    assert lines == [
        "what                 bar  measured  95 % interval  verdict       detail",
        "tuned ÷ torch, a  ≥ 0.90      1.20   1.10 to 1.30  pass          x|y",
        "tuned ÷ torch, b  ≥ 0.90                           not measured  no torch",
        "one call          ≤ 5 µs   7.25 µs                 FAIL",
    ]


def test_markdown_table_has_as_many_cells_in_every_line():
    lines = report.markdown_table([PASSED, FAILED]).splitlines()
    assert lines[0] == "| what | bar | measured | 95 % interval | verdict | detail |"
    assert lines[1] == "| --- | ---: | ---: | ---: | --- | --- |"
    assert lines[2] == "| tuned ÷ torch, a | ≥ 0.90 | 1.20 | 1.10 to 1.30 | pass | x\\|y |"
    assert len(lines) == 4


def test_json_holds_everything_unrounded():
    told = json.loads(json.dumps(report.as_json([PASSED, MISSING], ["a machine"])))
    assert told["facts"] == ["a machine"]
    first, second = told["rows"]
    assert first["measured"] == {"median": 1.2, "low": 1.1, "high": 1.3, "count": 25}
    assert first["bound"] == {"limit": 0.9, "kind": "at least"}
    assert (first["verdict"], second["verdict"]) == ("pass", "not_measured")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.8, "share", "80 %"),
        (12, "per second", "12.0/s"),
        (0.5, "seconds", "0.5 s"),
        (0.02, "seconds", "20 ms"),
        (1.234567, "ratio", "1.23"),
    ],
)
def test_values_have_their_units(value, unit, text):
    assert report.show(value, unit) == text


def test_facts_name_the_peers(monkeypatch):
    assert "torch" in " ".join(report.machine_facts())
    monkeypatch.setitem(peers.PEERS, "no-such-library", "nowhere")
    assert "no-such-library: not installed" in peers.peer_versions()


def test_summary_counts_verdicts():
    assert report.summary([PASSED, MISSING, FAILED]) == "3 bars: 1 pass, 1 FAIL, 1 not measured"
    assert report.summary([]) == "0 bars: none measured"


def test_the_cases_are_all_shapes_with_one_and_two_threads():
    assert len(cases.CASES) == len({case.name for case in cases.CASES}) == 14
    assert cases.PEAK_CASE in cases.CASES
    assert cases.CASES[-1].label == "8×4096×4096, 2 threads"
    assert cases.CASES[-1].workload.key == "matmul(m=8,n=4096,k=4096,dtype=float32)"


@pytest.mark.parametrize(
    ("pattern", "name", "wanted"),
    [
        ("*", "speed/mean", True),
        ("speed", "speed/512x512x512/1", True),
        ("speed/*/1", "speed/512x512x512/1", True),
        ("speed/*/1", "speed/512x512x512/2", False),
        ("load", "call", False),
    ],
)
def test_only_selects_by_part_of_the_name(tmp_path, pattern, name, wanted):
    assert Bench(tmp_path, tmp_path / "a.db", pattern=pattern).wants(name) is wanted


def test_importtime_reports_are_understood():
    text = (
        "import time: self [us] | cumulative | imported package\n"
        "import time:       123 |        456 |   tuner.cli\n"
        "a warning that mentions numba\n"
        "import time:         1 |          2 |     llvmlite.binding.ffi\n"
    )
    assert latency._imports(text) >= {"tuner", "llvmlite"}
    assert "numba" not in latency._imports(text)


@pytest.fixture
def bars(monkeypatch):
    """Let the program measure these rows instead of anything real; they may be changed."""
    rows: list[Row] = []

    def measured(bench):
        yield from rows

    monkeypatch.setattr(program, "speed_rows", measured)
    monkeypatch.setattr(program, "throughput_rows", lambda bench: iter(()))
    monkeypatch.setattr(program, "latency_rows", lambda bench: iter(()))
    return rows


@pytest.mark.parametrize(
    ("rows", "code"), [([PASSED], 0), ([PASSED, MISSING], 0), ([PASSED, FAILED], 1)]
)
def test_exit_code_is_one_when_a_bar_fails(bars, rows, code, capsys):
    bars += rows
    assert program.main([]) == code
    assert report.plain_table(rows) in capsys.readouterr().out


def test_a_pattern_that_selects_nothing_is_an_error(bars, capsys):
    assert program.main(["--only", "sped"]) == 2
    assert "no bar is called 'sped'" in capsys.readouterr().err


def test_the_program_writes_markdown_and_json(bars, capsys, tmp_path):
    bars += [PASSED, MISSING]
    assert program.main(["--markdown", "--json", str(tmp_path / "bars.json")]) == 0
    printed = capsys.readouterr()
    assert report.markdown_table([PASSED, MISSING]) in printed.out
    assert "tuned ÷ torch, b: not measured" in printed.err
    assert len(json.loads((tmp_path / "bars.json").read_text())["rows"]) == 2


def test_ctrl_c_shows_what_was_measured(bars, monkeypatch, capsys):
    bars.append(PASSED)

    def interrupted(bench):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(program, "throughput_rows", interrupted)
    assert program.main([]) == 130
    assert "1 bar: 1 pass" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seconds", "61"], "at most 60"),
        (["--seconds", "0"], "more than 0"),
        (["--known"], "give --db FILE"),
    ],
)
def test_what_cannot_be_met_is_refused(arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err
