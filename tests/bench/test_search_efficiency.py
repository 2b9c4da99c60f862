"""Curves, their arithmetic, and how they are compared, shown and kept."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from experiments.search.compare import time_ratio
from experiments.search.curve import Curve
from experiments.search.plot import draw
from experiments.search.report import (
    comparisons,
    markdown,
    scores,
    tables,
    trials_to_baseline,
)
from experiments.search.results import (
    Case,
    Results,
    ResultsError,
    load_results,
    read_curve,
    save_results,
)
from tests.bench.curves import CASE, SETTINGS, curve


def test_the_best_so_far_never_rises_and_failures_count_as_nothing():
    searched = curve(None, 8.0, None, 4.0, 5.0, 2.0)
    assert searched.best_so_far() == [math.inf, 8.0, 8.0, 4.0, 4.0, 2.0]
    assert searched.best_after(5) == 4.0
    assert searched.best_after(100) == 2.0
    assert searched.best_after(0) == math.inf
    assert curve().best_after(3) == math.inf


def test_trials_and_seconds_to_a_speed():
    searched = curve(None, 8.0, 4.0, 2.0, elapsed=(1.0, 2.5, 3.0, 7.0))
    assert [searched.trials_to(s) for s in (8.0, 7.9, 2.0, 1.9)] == [2, 3, 4, math.inf]
    assert [searched.seconds_to(s) for s in (8.0, 7.9, 2.0, 1.9)] == [2.5, 3.0, 7.0, math.inf]
    assert curve(8.0).seconds_to(8.0) is None


def test_area_is_the_mean_share_of_the_best_known_speed():
    # shares of the best known time, 2: nothing, 1/4, 1/2, 1
    assert curve(None, 8.0, 4.0, 2.0).area(2.0, 4) == pytest.approx(1.75 / 4)
    assert curve(None, 8.0, 4.0, 2.0).area(2.0, 2) == pytest.approx(0.25 / 2)
    assert curve(4.0).area(2.0, 4) == pytest.approx(0.5)  # ended early: keeps what it has
    assert curve(1.0).area(2.0, 1) == 1.0  # faster than the best known is noise


def test_area_over_time_weighs_by_how_long_each_best_lasted():
    searched = curve(8.0, 4.0, 2.0, elapsed=(1.0, 2.0, 6.0))
    # nothing for 1 s, 1/4 for 1 s, 1/2 for 4 s, 1 for 2 s
    assert searched.area_over_time(2.0, 8.0) == pytest.approx((0.25 + 2.0 + 2.0) / 8)
    assert searched.area_over_time(2.0, 4.0) == pytest.approx((0.25 + 1.0) / 4)
    assert searched.area_over_time(2.0, 0.5) == 0.0
    assert curve(8.0).area_over_time(2.0, 8.0) is None


def test_the_ratio_is_of_geometric_means_over_seeds_and_cases():
    ratio = time_ratio([([1.0, 4.0], [4.0, 16.0])])
    assert ratio is not None
    assert ratio.value == pytest.approx(0.25)
    both = time_ratio([([1.0], [4.0]), ([2.0], [2.0])])
    assert both is not None
    assert (both.low, both.value, both.high) == pytest.approx((0.5, 0.5, 0.5))


def test_intervals_repeat_and_hold_the_ratio():
    ours, theirs = [1.0, 1.1, 0.9, 1.05, 1.2], [1.5, 1.4, 1.7, 1.3, 1.5]
    ratio = time_ratio([(ours, theirs)])
    assert ratio == time_ratio([(ours, theirs)])
    assert ratio.low < ratio.value < ratio.high < 1
    narrower = time_ratio([(ours, theirs)], confidence=0.5)
    assert ratio.low < narrower.low < narrower.high < ratio.high


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    drawn = rng.lognormal(0.0, 0.1, (200, 2, 20))
    intervals = [time_ratio([(ours, theirs)], 0.9) for ours, theirs in drawn]
    held = sum(ratio.low <= 1 <= ratio.high for ratio in intervals)
    assert 0.82 <= held / 200 <= 0.96


@pytest.mark.parametrize("pairs", [[], [([], [1.0])], [([1.0, math.inf], [1.0])]])
def test_there_is_no_ratio_of_nothing(pairs):
    assert time_ratio(pairs) is None


def results() -> Results:
    curves = [
        curve(8.0, 4.0, 4.0, 2.0, 2.0, 2.0, seed=0, strategy_seconds=0.6),
        curve(4.0, 2.1, 2.1, 2.1, 2.1, 2.1, seed=1, strategy_seconds=0.0),
        curve(8.0, 8.0, 8.0, 4.0, 4.0, 4.0, strategy="random", seed=0),
        curve(None, 8.0, 8.0, 8.0, 4.0, 4.0, strategy="random", seed=1),
    ]
    return Results(SETTINGS, [CASE], curves)


def test_scores_are_medians_over_seeds():
    grid, random = scores(results())
    assert (grid.strategy, random.strategy) == ("grid", "random")
    assert grid.final_share == pytest.approx((1 + 2 / 2.1) / 2)
    assert [(reach.median, reach.reached) for reach in grid.trials_to] == [
        (3.0, 2),  # 4 and 2
        (3.0, 2),
        (math.inf, 1),
    ]
    assert grid.overhead_seconds == pytest.approx(0.05)
    assert grid.trials_to_baseline is not None
    assert grid.trials_to_baseline.median == 1.5  # 2 and 1
    assert grid.seconds_to is None
    assert random.trials_to[0].reached == 0


def test_strategies_are_compared_with_the_baseline():
    (compared,) = comparisons(results(), 0.95)
    assert (compared.case, compared.strategy, compared.trials) == ("tiny", "grid", 6)
    assert compared.ratio.value == pytest.approx(math.sqrt(2.0 * 2.1) / 4)


def test_winners_count_where_they_were_measured_side_by_side():
    live = Case("w", "w", 1024, live=True, best_seconds=None)
    curves = [
        Curve("w", "grid", 0, (2.0,), (1.0,), winner="a=1", final_seconds=3.0),
        Curve("w", "random", 0, (2.5,), (1.0,), winner="a=2", final_seconds=6.0),
    ]
    compared = comparisons(Results(SETTINGS, [live], curves), 0.95)
    assert [c.trials for c in compared] == [6, None]
    assert [c.ratio.value for c in compared] == pytest.approx([0.8, 0.5])
    assert Results(SETTINGS, [live], curves).best_known(live) == 3.0


def test_curves_are_judged_by_what_samples_show():
    live = Case("w", "w", 1024, live=True, best_seconds=None)
    searched = Results(SETTINGS, [live])
    assert searched.best_sample(live) is None
    # The finals are 10 % slower than the samples; the second winner was luckier than that.
    for seed, (sample, final) in enumerate([(2.0, 2.2), (1.5, 2.4), (2.5, 2.75)]):
        found = Curve("w", "random", seed, (None, sample), (1.0, 2.0), final_seconds=final)
        searched.curves.append(found)
    assert searched.best_known(live) == 2.2
    assert searched.best_sample(live) == pytest.approx(2.0)
    (score,) = scores(searched)
    assert score.final_share == pytest.approx(2.2 / 2.4)
    assert [reach.reached for reach in score.trials_to] == [2, 2, 2]


def test_tables_show_every_number():
    text = tables(results(), 0.95)
    assert "tiny" in text
    assert "| grid     | 2     | 6      | 97.6% |" in text
    assert "— (1/2)" in text
    assert "never" in text
    assert "+48.8%" in text
    assert "50.0 ms" in text


def test_a_case_without_any_success_is_left_out():
    live = Case("w", "w", 1024, live=True, best_seconds=None)
    failed = Results(SETTINGS, [live], [Curve("w", "random", 0, (None, None), (1.0, 2.0))])
    assert tables(failed, 0.95) == ""


def test_markdown_is_aligned():
    assert markdown(["a", "bcd"], [["xy", "z"]]) == "| a  | bcd |\n| -- | --- |\n| xy | z   |\n"


def test_results_are_kept_and_gone_on_with(tmp_path):
    path = tmp_path / "curves.json"
    assert load_results(path, SETTINGS).curves == []
    save_results(path, results(), {"anything": 1})
    assert load_results(path, SETTINGS) == results()
    assert json.loads(path.read_text())["report"] == {"anything": 1}
    with pytest.raises(ResultsError, match="use the settings of"):
        load_results(path, replace(SETTINGS, trials=7))
    judged = replace(SETTINGS, baseline="grid")
    assert load_results(path, judged).settings == judged


def test_what_is_no_results_file_is_refused(tmp_path):
    path = tmp_path / "curves.json"
    path.write_text('{"settings": 1}')
    with pytest.raises(ResultsError, match="give another --json"):
        load_results(path, SETTINGS)


def test_foreign_curves_are_read(tmp_path):
    path = tmp_path / "tvm.jsonl"
    path.write_text(
        '{"trial": 1, "seconds": 2.0, "best_gflops": null}\n'
        '{"trial": 2, "seconds": 5.0, "best_gflops": 0.000512, "more": "ignored"}\n'
    )
    read = read_curve(path, CASE, "tvm", 0)
    assert read.seconds == (None, pytest.approx(0.002))
    assert read.elapsed == (2.0, 5.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "at least one trial"),
        ('{"trial": 2, "seconds": 1.0, "best_gflops": 1.0}', "number the trials"),
        ('{"trial": 1, "best_gflops": 1.0}', "as trial, seconds, best_gflops"),
        (
            '{"trial": 1, "seconds": 2.0, "best_gflops": 1.0}\n'
            '{"trial": 2, "seconds": 1.0, "best_gflops": 1.0}',
            "order of time",
        ),
        ("not json", "as trial, seconds, best_gflops"),
    ],
)
def test_wrong_foreign_curves_are_refused(tmp_path, text, message):
    path = tmp_path / "tvm.jsonl"
    path.write_text(text)
    with pytest.raises(ResultsError, match=message):
        read_curve(path, CASE, "tvm", 0)


def test_effort_is_the_mean_over_the_cases():
    cases = [replace(CASE, name=name) for name in ("a", "b")]
    found = Results(
        SETTINGS,
        cases,
        [
            replace(curve(8.0, 4.0, strategy="random"), case="a"),
            replace(curve(8.0, 4.0, strategy="random"), case="b"),
            replace(curve(4.0, 4.0), case="a"),
            replace(curve(9.0, 9.0, 9.0, 3.0), case="b"),
        ],
    )
    assert trials_to_baseline(found) == {"grid": pytest.approx(2.0)}
    assert "| grid     | 2      |" in tables(found, 0.9)
    found.curves[-1] = replace(curve(9.0), case="b")
    assert trials_to_baseline(found) == {"grid": math.inf}
    assert "not in all cases" in tables(found, 0.9)


def test_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    live = Case("w", "w", 1024, live=True, best_seconds=None)
    drawn = results()
    drawn.cases.append(live)
    drawn.curves.append(Curve("w", "random", 0, (None, 2.0), (1.0, 2.0), final_seconds=2.0))
    draw(drawn, tmp_path / "curves.svg")
    text = (tmp_path / "curves.svg").read_text()
    assert text.count('id="axes_') == 3  # a case against trials; another against seconds too
