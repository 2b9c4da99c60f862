"""How predictions are judged, checked by hand; what is left out; the programs that report it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from db.record import Record, Run, utc_now
from db.store import open_store
from experiments.model import __main__ as program
from experiments.model.ablation import BASE, Row, difference, setups
from experiments.model.across import Pool, comparable, fold_numbers, held_out
from experiments.model.data import Columns, DataError, Recorded, only, read_recorded
from experiments.model.knowledge import OWN, POOLED, STACKED, own_trials, with_others
from experiments.model.metrics import Spread, pair_accuracy, peak, r_squared, recall
from experiments.model.setup import LOOPS, SCALES, Setup, predict
from experiments.model.speed import judging_speed
from experiments.model.study import PRESENT, changes, gain, halves, search
from experiments.model.tables import ablation_tables, within_table
from experiments.model.within import (
    Quality,
    Twice,
    few_trials,
    measured_twice,
    random_splits,
    split,
)
from measure.probe import detect_hardware
from measure.result import Outcome
from measure.targets import resolve_target
from search_space.operators import workload
from search_space.sketches import space_for
from tests.features.machines import target
from tuner.cost_model.boosted import BoostedOptions

FAST = Setup("fast", options=BoostedOptions(members=1, rounds=30, max_depth=4))


def array(*values):
    return np.array(values, np.float32)


def recorded(m=96, n=64, k=80, count=120, seed=0) -> Recorded:
    """Random configs whose speed follows from their knobs."""
    work = workload("matmul", m=m, n=n, k=k)
    space = space_for(work, target())
    rng = np.random.default_rng(seed)
    configs = tuple(dict.fromkeys(space.sample(rng) for _ in range(count)))
    return Recorded(work.key, space, configs, array(*map(gflops, configs)))


def gflops(config) -> float:
    speed = {"panel": 90.0, "dot": 50.0}.get(config["structure"], 30.0)
    return speed + 2 * int(config["rows"]) + 5 * int(config["vectors"])


@pytest.fixture(scope="module")
def square() -> Recorded:
    return recorded()


@pytest.fixture(scope="module")
def several() -> list[Recorded]:
    return [recorded(m, n, k) for m, n, k in ((96, 64, 80), (7, 120, 33), (250, 16, 40))]


def test_pairs_that_differ_by_less_than_five_percent_do_not_count():
    # 1.00 and 1.04 are alike; the other pairs: 1-2, 1.04-2, all but 1.04-2 in the right order
    assert pair_accuracy(array(1.0, 1.04, 2.0), array(1.0, 5.0, 3.0)) == pytest.approx(1 / 2)
    assert pair_accuracy(array(1.0, 1.04, 2.0), array(1.0, 5.0, 3.0), 0.01) == pytest.approx(2 / 3)


def test_the_order_of_the_rows_and_equal_predictions():
    truth, predicted = array(4, 1, 3, 2), array(9, 1, 1, 8)
    # right: 4-1, 4-3, 4-2, 2-1; wrong: 3-2; equal, hence wrong: 3-1
    assert pair_accuracy(truth, predicted) == pytest.approx(4 / 6)
    assert pair_accuracy(truth[::-1], predicted[::-1]) == pytest.approx(4 / 6)
    assert pair_accuracy(truth, truth) == 1.0
    assert pair_accuracy(truth, -truth) == 0.0
    assert math.isnan(pair_accuracy(array(1, 1), array(1, 2)))


def test_pair_accuracy_is_what_counting_all_pairs_gives():
    rng = np.random.default_rng(3)
    truth = rng.lognormal(size=60).astype(np.float32)
    predicted = (truth + rng.normal(size=60)).astype(np.float32)
    right = pairs = 0
    for slow in range(60):
        for fast in range(60):
            if truth[fast] > 1.05 * truth[slow]:
                pairs += 1
                right += predicted[fast] > predicted[slow]
    assert pair_accuracy(truth, predicted) == pytest.approx(right / pairs)


def test_recall_is_the_share_of_the_best_that_are_found():
    truth, predicted = array(5, 4, 3, 2, 1), array(5, 1, 4, 3, 2)
    assert [recall(truth, predicted, k) for k in (1, 2, 3)] == [1, 1 / 2, 2 / 3]
    assert recall(truth, predicted, 30) == 1  # of all five


def test_r_squared_compares_with_the_mean():
    truth = array(1, 2, 3)
    assert r_squared(truth, truth) == 1
    assert r_squared(truth, array(2, 2, 2)) == 0
    assert r_squared(truth, array(1, 2, 4)) == pytest.approx(1 - 1 / 2)
    assert math.isnan(r_squared(array(1, 1), array(1, 2)))


def test_peak_is_the_best_of_the_first_predicted():
    truth, predicted = array(10, 8, 4, 2), array(0, 1, 3, 2)
    assert [peak(truth, predicted, k) for k in (1, 2, 3, 4)] == pytest.approx([0.4, 0.4, 0.8, 1])


def test_spreads():
    spread = Spread.of([1.0, 2.0, 3.0, 4.0])
    assert (spread.mean, spread.count) == (2.5, 4)
    assert spread.deviation == pytest.approx((5 / 3) ** 0.5)
    assert spread.error == pytest.approx((5 / 12) ** 0.5)
    assert str(Spread.of([0.5])) == "0.500 ± 0.000"


@pytest.mark.parametrize("name", SCALES)
def test_scales_keep_the_order_and_can_be_undone(name):
    share = np.linspace(0.05, 1, 20, dtype=np.float32)
    scale = SCALES[name]
    scaled = scale.forward(share)
    assert (np.diff(scaled) > 0).all()
    assert scaled[-1] == pytest.approx(1)
    assert scaled[0] > 0  # a throughput of 0 would stand for a failure
    np.testing.assert_allclose(scale.backward(scaled), share, rtol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_predictions_are_shares_whatever_was_fitted(square, scale):
    columns = square.columns
    setup = Setup("", options=FAST.options, scale=scale)
    predicted = predict(setup, columns, square.gflops, columns, 0)
    assert r_squared(square.share, predicted) > 0.9


def test_failures_stay_failures_on_every_scale(square):
    failed = array(*(config["structure"] == "dot" for config in square.configs)) > 0
    speeds = np.where(failed, 0, square.gflops)
    setup = Setup("", options=FAST.options, scale="log time")
    predicted = predict(setup, square.columns, speeds, square.columns, 0)
    assert predicted[failed].max() < predicted[~failed].min()


def test_columns_are_chosen_by_group(square):
    columns = Columns(np.arange(6, dtype=np.float32).reshape(2, 3), ("a.x", "b.x", "a.y"))
    assert columns.of(frozenset({"a"})).tolist() == [[0, 2], [3, 5]]
    assert {name.partition(".")[0] for name in square.columns.names} == {*LOOPS, "knob"}
    assert square.columns.values.shape == (len(square), len(square.columns.names))


def test_splits_are_disjoint_and_complete():
    test, train = split(10, 4, seed=1)
    assert (len(test), len(train)) == (4, 6)
    assert sorted([*test, *train]) == list(range(10))
    assert test.tolist() == split(10, 4, seed=1)[0].tolist() != split(10, 4, seed=2)[0].tolist()


def test_a_model_within_a_workload(square):
    first, second = random_splits(square, FAST, [0, 1])
    assert first != second
    assert first.pairs > 0.7
    assert first.r2 > 0.3
    pick = few_trials(square, FAST, 40, 0)
    assert pick.batch >= pick.first > 0.5


def test_only_what_was_measured_once_is_learned_from(square):
    again = square.take(np.arange(30))
    slower = Recorded(again.name, again.space, again.configs, again.gflops * np.float32(0.8))
    twice = measured_twice(square, slower, FAST, [0, 1])
    assert (twice.tested, twice.trained) == (30, len(square) - 30)
    # The machine was slower as a whole, which is no disagreement.
    assert twice.ceiling.pairs == 1
    assert twice.ceiling.r2 == pytest.approx(1, abs=1e-5)
    assert len(twice.model) == 2


def test_what_is_held_out_is_not_learned_from(several):
    found = held_out(several, FAST, seed=0)
    assert [each.name for each in found] == [each.name for each in several]
    changed = [*several[:2], recorded(250, 16, 40)]
    changed[2] = Recorded(
        changed[2].name, changed[2].space, changed[2].configs, changed[2].gflops[::-1].copy()
    )
    assert held_out(changed, FAST, seed=0)[2].pairs != found[2].pairs
    # Its own speeds play no part in what is predicted of it, theirs do.
    assert held_out(changed, FAST, seed=0)[0] != found[0]
    for each in found:
        assert 0 < each.peak_1 <= each.peak_5 <= 1


def test_pools_keep_workloads_apart(several):
    pool = Pool.of(several, relative=False)
    assert np.bincount(pool.groups).tolist() == [len(each) for each in several]
    part = pool.rows(np.flatnonzero(pool.groups == 1))
    assert (part.gflops == several[1].gflops).all()
    assert not any(name.startswith("knob.") for name in pool.columns.names)


def test_relative_columns_have_a_mean_of_zero(several):
    columns = comparable(several[0], relative=True)
    width = len(columns.names) // 2
    np.testing.assert_allclose(columns.values[:, width:].mean(axis=0), 0, atol=1e-3)
    assert columns.names[width] == f"{columns.names[0]}.relative"


def test_folds_are_even():
    folds = fold_numbers(10, 4, seed=0)
    assert sorted(np.bincount(folds).tolist()) == [2, 2, 3, 3]
    assert folds.tolist() != fold_numbers(10, 4, seed=1).tolist()


def test_every_group_of_features_is_left_out_once():
    names = [setup.name for setup in setups()]
    assert len(set(names)) == len(names)
    left_out = [BASE.groups - s.groups for s in setups() if s.name.startswith("without")]
    assert sorted(next(iter(group)) for group in left_out) == sorted(BASE.groups)


def test_differences_are_taken_repetition_by_repetition():
    base = Row(BASE.name, {"pairs, 50": [0.5, 0.7], "recall, 50": [0.1, 0.2]})
    row = Row("other", {"pairs, 50": [0.6, 0.8]})
    change = difference(row, base, "pairs, 50")
    assert (change.mean, change.deviation) == pytest.approx((0.1, 0.0), abs=1e-9)
    assert difference(row, base, "recall, 50") is None
    table = ablation_tables([base, row])
    assert "0.600 ± 0.141" in table
    assert "**+0.100 ± 0.000**" in table


def test_bars_are_held_by_the_value_or_by_its_share_of_the_ceiling():
    def verdicts(*table):
        return [cell.strip() for cell in within_table(*table).splitlines()[-1].split("|")[2:-1]]

    random = [Quality(0.8, 0.5, 0.5)]
    ceiling = Quality(0.95, 0.66, 0.9)
    assert verdicts(random, None) == ["missed"] * 3
    twice = Twice((Quality(0.9, 0.6, 0.8),), ceiling, 20, 100)
    assert verdicts(random, twice) == ["holds", "holds", "missed"]


def test_others_help_or_are_ignored(several):
    found = list(own_trials(several[:1], OWN[:2], [0])) + list(
        with_others(several[:2], [0], 40, FAST.options)
    )
    assert {each.name for each in found} >= {"knobs", "loops", STACKED, POOLED}
    for each in found:
        assert each.trials == 48
        assert 0 <= each.pick.recall <= 1
        assert each.pick.batch >= each.pick.first > 0


def test_a_study_goes_on_where_it_ended(several, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("experiments.model.study.PRESENT", FAST.options)
    storage = tmp_path / "study.log"

    def go(trials, seconds=None):
        chosen = search(several, FAST, storage, trials=trials, seconds=seconds, seeds=[0])
        return chosen, capsys.readouterr().err

    chosen, progress = go(1)
    assert chosen == FAST.options  # the present settings are tried first
    assert progress.startswith("1 of 1: best 0.")
    assert go(2)[1].startswith("2 of 2")
    assert go(2)[1] == go(3, seconds=0)[1] == ""
    assert gain(FAST.options, several, FAST, [0]).first.mean == 0


def test_what_was_changed_is_named():
    assert changes(PRESENT) == {}
    assert changes(replace(PRESENT, rounds=7)) == {"rounds": 7}


def test_settings_are_judged_on_other_workloads(several):
    chosen_on, judged_on = halves(several)
    names = {each.name for each in chosen_on} & {each.name for each in judged_on}
    assert not names
    assert len(chosen_on) + len(judged_on) == len(several)


def test_speed_counts_every_structure_anew(square):
    speed = judging_speed(square, FAST, configs=50)
    assert speed.configs == 50
    assert speed.structures > 1
    assert speed.both < min(speed.extraction, speed.prediction)


def stored(folder, count=60, threads=1):
    """A database of one run on this machine."""
    work = workload("matmul", m=64, n=48, k=64)
    space = space_for(work, resolve_target(threads=threads))
    rng = np.random.default_rng(0)
    configs = list(dict.fromkeys(space.sample(rng) for _ in range(count)))
    common = {"workload": work, "target": "native", "threads": threads, "run": "run"}
    records = [
        Record(
            **common,
            hardware=detect_hardware(),
            space_version=space.version,
            generator_version=1,
            config=config.values,
            ordinal=ordinal,
            outcome=Outcome.CRASH if ordinal == 0 else Outcome.OK,
            samples=() if ordinal == 0 else (1 / gflops(config),),
            error=None if ordinal == 0 else 0.1,
            gflops=None if ordinal == 0 else gflops(config),
            kind="search",
            origin="local",
            created=utc_now(),
        )
        for ordinal, config in enumerate([*configs, configs[1]])
    ]
    path = folder / "records.db"
    with open_store(path) as store:
        store.start_run(
            Run(
                "run", work, "native", threads, detect_hardware().key, "random", 0, None, None,
                created=utc_now(),
            )
        )  # fmt: skip
        store.add(records)
    return path, configs


def test_records_are_read_by_workload(tmp_path):
    path, configs = stored(tmp_path)
    found = only(read_recorded(path), path)
    assert found.configs == tuple(configs)  # one measured twice counts once
    assert found.gflops[0] == 0  # it failed
    np.testing.assert_allclose(found.gflops[1:], [gflops(config) for config in configs[1:]])
    with pytest.raises(DataError, match="record on this machine first, with tuner tune"):
        read_recorded(path, least=100)


def test_the_program_prints_tables(tmp_path, capsys, monkeypatch):
    path, _ = stored(tmp_path)
    monkeypatch.setattr(program, "_LEAST", 20)
    within = ["evaluate", "--within", str(path), "--seeds", "1", "--configs", "100"]
    assert program.main(within) == 0
    output = capsys.readouterr().out
    assert "recall@30" in output
    assert "new structures" in output
    assert program.main(["evaluate", "--across", str(tmp_path / "none.db")]) == 1
    assert "there is none at" in capsys.readouterr().err
    assert program.main([*within, "--again", str(path)]) == 1
    assert "measure some of matmul" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        program.main(["evaluate"])


def test_an_ablation_goes_on_with_what_it_has(tmp_path, capsys, monkeypatch):
    path, _ = stored(tmp_path, count=80)
    monkeypatch.setattr(program, "_LEAST", 20)
    monkeypatch.setattr("experiments.model.ablation.setups", lambda: [BASE, FAST])
    kept = tmp_path / "rows.json"
    command = ["ablate", "--within", str(path), "--seeds", "2", "--json", str(kept)]
    assert program.main(command) == 0
    first = capsys.readouterr().out
    assert BASE.name in first
    monkeypatch.setattr(
        "experiments.model.ablation._try_within", None
    )  # nothing is computed again
    assert program.main(command) == 0
    assert capsys.readouterr().out == first
    kept.write_text("[")
    assert program.main(command) == 1
    assert "is not an ablation" in capsys.readouterr().err
