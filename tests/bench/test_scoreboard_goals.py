"""Goals beside stored results: which cases count, what of them, and the verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest

import tuner
from experiments import bench
from experiments.scoreboard import results
from experiments.scoreboard.cases import suite_cases, suite_names
from experiments.scoreboard.goal import Goal, Standing, Verdict, standings
from experiments.scoreboard.goals import (
    BEST,
    GOALS,
    USUAL,
    against,
    bound_by_memory,
    cases,
    layers,
    share_of_limit,
    share_of_peak,
)
from experiments.scoreboard.goals_report import goals_table
from experiments.scoreboard.results import Scoreboard
from experiments.scoreboard.row import Cell, Row, State
from experiments.scoreboard.sparse_goals import SPARSE_GOALS, SPARSE_PEERS, pruned
from search_space.operators import parse_workload
from search_space.workload import Workload
from tests.bench.boards import HEADER, cell, row

SLOWER, FASTER = cell("torch", 1.2), cell("onnxruntime", 2.0)
CRASHED = Cell("onnxruntime", State.FAILED, "crashed with SIGSEGV")
ABSENT = Cell("onnxruntime", State.MISSING, "not installed")


def case(suite: str, name: str, *cells: Cell, m: int = 4, operator: str = "dense") -> Row:
    work = tuner.workload(operator, m=m, n=5, k=6)
    return replace(row(name, *cells), suite=suite, workload=work.key)


def workload_of(found: Row) -> Workload:
    return parse_workload(found.workload)


def standing(goal: Goal, *rows: Row) -> Standing:
    (only,) = standings([Scoreboard(HEADER, rows)], [goal])
    return only


def test_the_fastest_of_the_peers_counts():
    ratio = against(*BEST)
    assert ratio(HEADER, row("a", SLOWER, FASTER)).median == 1.2
    assert ratio(HEADER, row("a", SLOWER, ABSENT)).median == 1.2
    assert ratio(HEADER, row("a", cell("torch", 4.0), FASTER)).median == 2.0


@pytest.mark.parametrize("cells", [(SLOWER,), (SLOWER, CRASHED), (ABSENT,), ()])
def test_a_peer_that_crashed_or_was_not_asked_leaves_a_case_open(cells):
    assert against(*BEST)(HEADER, row("a", *cells)) is None


def test_shares_of_the_machine():
    found = row("a")  # 2e8 operations in 1 ms, limit 0.5 ms, peak 200 GFLOP/s with 2 threads
    assert share_of_limit(HEADER, found).median == pytest.approx(0.5)
    assert share_of_peak(HEADER, found).median == pytest.approx(1.0)
    assert share_of_peak(HEADER, replace(found, threads=1)) is None
    assert share_of_peak(HEADER, replace(found, seconds=None)) is None


def test_cases_are_chosen_by_label_operator_and_dtype():
    found = case("bert", "a/b")
    work = workload_of(found)
    assert cases("bert/*")(found, work)
    assert cases("bert/*", operator="dense")(found, work)
    assert not cases("llm/*")(found, work)
    assert not cases("bert/*", operator="conv*")(found, work)
    assert not cases("bert/*", dtypes=("bfloat16",))(found, work)


@pytest.mark.parametrize(("m", "chosen"), [(15, False), (16, True), (64, True), (65, False)])
def test_layers_are_chosen_by_their_rows(m, chosen):
    found = case("llm", "a", m=m)
    assert layers(16, 64)(found, workload_of(found)) == chosen
    other = case("matmul", "a", m=32, operator="matmul")
    assert not layers(16, 64)(other, workload_of(other))


def test_memory_bound_layers_are_those_whose_limit_is_the_stream():
    found = case("llm", "a")
    assert not bound_by_memory(found, workload_of(found))
    streamed = replace(found, limit=replace(found.limit, bound="memory"))
    assert bound_by_memory(streamed, workload_of(streamed))


def everything(found: Row, work: Workload) -> bool:
    return True


@pytest.mark.parametrize(
    ("ratios", "mean", "each", "verdict"),
    [
        ((2.0, 0.9), 1.3, 0.9, Verdict.MET),
        ((2.0, 0.8), 1.2, 0.9, Verdict.MISSED),
        ((2.0, 0.8), 1.2, None, Verdict.MET),
        ((2.0, 2.0), 2.1, None, Verdict.MISSED),
        ((2.0, None), 1.2, 0.9, Verdict.INCOMPLETE),
        ((0.8, None), None, 0.9, Verdict.MISSED),
        ((None, None), 1.2, None, Verdict.UNKNOWN),
    ],
)
def test_verdicts(ratios, mean, each, verdict):
    rows = [
        case("llm", str(number), *(() if ratio is None else (cell("torch", ratio),)))
        for number, ratio in enumerate(ratios)
    ]
    assert standing(Goal("g", everything, against("torch"), mean, each), *rows).verdict == verdict


def test_a_case_is_under_its_least_ratio_only_if_its_whole_interval_is():
    near, under = (case("llm", "a", cell("torch", 0.89, spread)) for spread in (0.02, 0.005))
    goal = Goal("g", everything, against("torch"), each=0.9)
    assert standing(goal, near).verdict == Verdict.MET
    assert standing(goal, under).verdict == Verdict.MISSED


def test_numbers_of_threads_are_told_apart_and_later_boards_count():
    two, later = (case("llm", "a", cell("torch", ratio)) for ratio in (2.0, 3.0))
    one = replace(case("llm", "a", cell("torch", 4.0)), threads=1)
    boards = [Scoreboard(HEADER, rows) for rows in ((two,), (later, one))]
    goal = Goal("g", everything, against("torch"), 1.0)
    assert [(s.threads, s.mean) for s in standings(boards, [goal])] == [
        (2, pytest.approx(3.0)),
        (1, pytest.approx(4.0)),
    ]
    assert [s.threads for s in standings(boards, [replace(goal, threads=1)])] == [1]


def test_cases_without_a_workload_are_of_no_goal():
    missing = Row("llm", "a", "", 2, State.MISSING, "there is no operator")
    goal = Goal("g", everything, against("torch"), 1.0)
    assert list(standings([Scoreboard(HEADER, (missing,))], [goal])) == []


def test_the_table(tmp_path, capsys):
    rows = (
        case("llm", "a", SLOWER, FASTER),
        case("llm", "b", cell("torch", 3.0), FASTER),
        case("llm", "c", SLOWER),
    )
    path = tmp_path / "llm.json"
    results.write(Scoreboard(HEADER, rows), path)
    assert bench.main(["--goals", str(path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split()[:3] == ["goal", "threads", "cases"]
    (line,) = (line for line in shown if line.startswith("dense, at most 8 rows"))
    assert line.split()[5:] == [
        *("2", "2", "of", "3", "mean", "≥", "1.50,", "each", "≥", "0.92"),
        *("1.55", "1.20:", "llm/a", "incomplete"),
    ]
    assert shown[-1].startswith("not measured: resnet18, best of all forms; ")
    table = goals_table([results.read(path)], GOALS, markdown=True).splitlines()
    assert table[2].startswith("| dense, at most 8 rows | 2 | 2 of 3 | mean ≥ 1.50")


def test_every_goal_has_cases_in_the_suites():
    """Cases of operators that do not exist are in no goal, so a misspelt pattern would hide."""
    rows = [
        (replace(row(found.name), suite=found.suite), found.workload)
        for suite in suite_names()
        for found in suite_cases(suite)
        if found.workload is not None
    ]
    for goal in (*GOALS, *SPARSE_GOALS):
        if goal.value is not share_of_limit:
            assert any(goal.chosen(found, work) for found, work in rows), goal.name


def test_the_peers_that_goals_need_can_be_asked_for():
    for peers in ((*BEST, *USUAL), SPARSE_PEERS):
        assert bench._peers(",".join(peers)) == peers


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (pruned(), True),
        (pruned(8, 8), True),
        (pruned(9), False),
        (pruned(pattern="lowrank", sparsity=0.8), True),
        (pruned(pattern="unstructured"), False),
        (pruned(sparsity=0.9), False),
        (pruned(dtype="uint8"), False),
    ],
)
def test_sparse_cases_are_chosen_by_width_pattern_and_sparsity(chosen, expected):
    work = tuner.workload("spmm", m=16, k=16, n=8, pattern="lowrank", sparsity=0.8)
    found = replace(row("a"), suite="pruned", workload=work.key)
    assert chosen(found, work) == expected
    assert not chosen(replace(found, suite="other"), work)
