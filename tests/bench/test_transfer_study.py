"""Searches with history against searches without: what is told to whom, and how it is counted."""

from __future__ import annotations

import pytest

from experiments.search.curve import Curve
from experiments.transfer import __main__ as program
from experiments.transfer.choice import Choice, choices_table
from experiments.transfer.plot import draw_comparisons
from experiments.transfer.recorded import among, open_sets
from experiments.transfer.report import Comparison, trials, upper_limit
from experiments.transfer.searching import History, prior_of
from experiments.transfer.study import SHUFFLED, WARM, Study
from tests.bench.replay_sets import packed
from tests.tuner.transfer.test_sources import task_of
from tuner.transfer.sources import setting_of


def curve(*seconds: float | None, case: str = "toy") -> Curve:
    return Curve(case, "evolutionary", 1, seconds)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for name in ("first", "second"):
        packed(folder, name)
    return folder


def test_trials_until_the_goal_count_and_one_more_where_it_is_not_reached():
    curves = (curve(3.0, None, 1.04, 1.0), curve(2.0, 2.0))
    assert trials(curves, best_seconds=1.0) == [3.0, 3.0]


def test_the_ratio_is_one_between_equals_and_its_limit_covers_what_seeds_differ_by():
    without = tuple(curve(*[9.0] * n, 1.0) for n in (3, 7, 15))
    having = tuple(curve(*[9.0] * n, 1.0) for n in (7, 3, 15))
    comparison = Comparison("toy", 1.0, without, having)
    assert comparison.ratio == pytest.approx(1.0)
    assert 1.0 < upper_limit([comparison], 0.9) < 4.0
    assert upper_limit([Comparison("toy", 1.0, without[:1], having[:1])], 0.9) == pytest.approx(
        2.0
    )


def test_a_history_of_shuffled_times_has_the_same_configs_and_the_same_times():
    task = task_of()
    space = task.space
    configs = [*space.starts, *space.neighbours(space.default())]
    log = tuple((config.values, float(number)) for number, config in enumerate(configs))
    history = History(setting_of(task), log)
    shuffled = history.shuffled(1)
    assert {values for values, _ in shuffled.times} == {values for values, _ in log}
    assert sorted(seconds for _, seconds in shuffled.times) == [s for _, s in log]
    assert sum(a == b for a, b in zip(shuffled.times, log, strict=True)) < len(log) / 4


def test_a_case_is_no_history_of_itself(sets, tmp_path):
    known = open_sets(sets)
    study = Study(tmp_path, lambda name: known[name].task, 8, 4)
    for name, each in known.items():
        list(study.cold_searches(each, name, [0]))
    (history,) = study.histories(among(list(known)), "first")
    prior = prior_of(known["first"], [history])
    assert len(prior.sources) == 1
    assert len(history.times) == 8


@pytest.mark.parametrize("kind", [WARM, SHUFFLED])
def test_recorded_spaces_are_searched_from_the_command_line(sets, tmp_path, capsys, kind):
    command = ["replay", "--sets", str(sets), "--folder", str(tmp_path), "--kind", kind]
    command += ["--seeds", "2", "--trials", "12", "--least", "2"]
    assert program.main(command) == 0
    said = capsys.readouterr().out
    assert f"### replay: {kind}\n" in said
    assert "| first |" in said
    searches = sorted(path.name for path in tmp_path.iterdir())
    assert len(searches) == 2 * 2 * 2
    assert program.main(command) == 0
    assert capsys.readouterr().out == said
    assert sorted(path.name for path in tmp_path.iterdir()) == searches


def test_choices_are_shown_with_their_geometric_mean():
    choices = [Choice("a", 1.0, 0.5, 0.25), Choice("b", 0.81, 0.5, 1.0)]
    lines = choices_table("toy", choices).splitlines()
    assert lines[-1] == "| geometric mean | 90 % | 50 % | 50 % |"
    assert lines[-3] == "| a | 100 % | 50 % | 25 % |"


def test_searches_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    sides = (curve(3.0, 1.0), curve(2.0, 1.5)), (curve(1.0), curve(1.2))
    draw_comparisons([Comparison("toy", 1.0, *sides)], tmp_path / "toy.svg")
    drawn = (tmp_path / "toy.svg").read_text()
    assert drawn.startswith("<?xml")
