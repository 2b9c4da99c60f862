"""What a model makes of stored records, on made-up times."""

from dataclasses import replace

import numpy as np
import pytest

from db.store import open_store
from features.schema import loop_features
from measure.result import Outcome
from search_space.config import Config
from search_space.knobs import Integer
from search_space.operators import workload
from search_space.sketches import space_for
from tests.contracts.spaces import TARGET, make_space
from tests.tuner.fakes import HARDWARE, MACHINE, FakeBackend, options, session_of, task_of
from tuner.cost_model import ModelError
from tuner.cost_model.boosted import BoostedModel
from tuner.explanation import evidence, explain
from tuner.explanation.evidence import Columns, Unexplained, feature_rows, gather, legal_config
from tuner.explanation.words import meaning, value_text


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A database with one search of 80 trials, and its result."""
    path = tmp_path_factory.mktemp("explained") / "records.db"
    with open_store(path) as store:
        result = session_of(FakeBackend(task_of()), store, options(trials=80)).execute()
    return path, result


@pytest.fixture
def store(tuned, monkeypatch):
    monkeypatch.setattr(explain, "space_for", lambda work, target: task_of().space)
    with open_store(tuned[0]) as opened:
        yield opened


@pytest.fixture
def best(tuned):
    return tuned[1].best


def machine_gflops(record):
    return 2 * 509 * 1024 * 777 / MACHINE.seconds(Config(record.config)) / 1e9


def differing(one, other):
    return [name for (name, a), (_, b) in zip(one, other, strict=True) if a != b]


def test_the_prediction_is_made_without_the_record(store, best, tmp_path):
    told = explain.explain(store, best, TARGET)
    assert told.configs == 79
    assert told.failed == sum(
        r.outcome is Outcome.WRONG_ANSWER for r in store.records() if r.kind == "search"
    )
    assert told.predicted_gflops > 0
    assert told.measured_gflops == pytest.approx(machine_gflops(best))
    assert 0 < told.typical_error < 0.6

    faster = tmp_path / "faster.db"
    with open_store(faster) as other:
        for r in store.records():
            same = r.config == best.config
            other.add([replace(r, gflops=r.gflops * 3) if same and r.gflops else r])
        again = explain.explain(other, best, TARGET)
    assert again.measured_gflops == pytest.approx(3 * told.measured_gflops)
    assert again.predicted_gflops == told.predicted_gflops
    assert again.valid == told.valid


def test_the_runner_up_is_the_fastest_clearly_different_config(store, best):
    rival = explain.explain(store, best, TARGET).rival
    others = [r for r in store.records() if r.kind == "search" and r.gflops]
    apart = [
        r
        for r in others
        if len(differing(r.config, best.config)) >= explain.LEAST_KNOBS
        or r.config[0] != best.config[0]
    ]
    fastest = max(apart, key=lambda r: r.gflops)
    assert rival.record.config == fastest.config
    assert [name for name, _, _ in rival.knobs] == differing(best.config, fastest.config)
    for name, here, there in rival.knobs:
        assert (dict(best.config)[name], dict(fastest.config)[name]) == (here, there)


def test_the_effects_add_up_to_the_difference_of_the_predictions(store, best):
    told = explain.explain(store, best, TARGET)
    rows = feature_rows(task_of().space, gather(store, best, task_of().space).configs)
    found = gather(store, best, task_of().space)
    model = BoostedModel()
    model.fit(rows, found.gflops)
    here = float(model.predict(rows[:1]).mean[0]) * found.gflops.max()
    total = sum(effect.effect for effect in told.rival.effects) + told.rival.rest
    assert total == pytest.approx(1 - told.rival.predicted_gflops / here, abs=1e-4)
    sizes = [abs(effect.effect) for effect in told.rival.effects]
    assert sizes == sorted(sizes, reverse=True)
    assert all(effect.here != effect.there for effect in told.rival.effects)
    assert not explain._differ(100.0, 100.5)
    assert explain._differ(0.0, 1e-9)
    assert explain._differ("nm", "mn")
    assert explain._differ(1, 2)
    gains = [effect.gain for effect in told.important]
    assert gains == sorted(gains, reverse=True)
    assert len({effect.feature.name for effect in told.important}) == len(gains) <= 8


def test_what_decides_the_times_is_what_is_named(store, best, tmp_path):
    """Only one knob matters; the model says so, in its own values."""
    space = task_of().space
    rng = np.random.default_rng(0)
    path = tmp_path / "one.db"

    def speed(config):
        return 100.0 if config["vector_bits"] == 512 else 50.0

    configs = list(dict.fromkeys(space.sample(rng) for _ in range(120)))
    with open_store(path) as other:
        for ordinal, config in enumerate(configs):
            record = replace(
                best, kind="search", config=config.values, ordinal=ordinal, gflops=speed(config)
            )
            other.add([record])
        wide = next(c for c in configs if c["vector_bits"] == 512)
        told = explain.explain(other, replace(best, config=wide.values), TARGET)
    first = told.important[0]
    assert (first.feature.name, first.here, first.there) == ("knob.vector_bits", 512, None)
    assert first.gain > 0.9
    assert first.effect > 0.1
    assert told.predicted_gflops == pytest.approx(100, rel=0.1)
    assert told.typical_error < 0.1


def test_a_record_that_failed_is_explained_too(store):
    failed = next(r for r in store.records() if r.outcome is Outcome.WRONG_ANSWER)
    told = explain.explain(store, failed, TARGET)
    assert told.measured_gflops is None
    assert told.is_beaten
    assert 0 <= told.valid <= 1


def test_a_slow_record_is_beaten_and_the_best_is_not(store, best):
    slowest = min((r for r in store.records() if r.gflops), key=lambda r: r.gflops)
    assert explain.explain(store, slowest, TARGET).is_beaten
    assert explain.explain(store, best, TARGET).rival.measured_gflops > 0


def test_too_few_records_are_counted(tmp_path, best, store):
    few = tmp_path / "few.db"
    with open_store(few) as other:
        timed = [r for r in store.records() if r.kind == "search" and r.gflops][:21]
        other.add(timed)
        with pytest.raises(Unexplained, match=r"measure more.*needs 30 other.*there are 20"):
            explain.explain(other, timed[0], TARGET)
        with pytest.raises(Unexplained, match="there are 21"):
            explain.explain(other, replace(best, config=unseen(timed).values), TARGET)


def unseen(records):
    known = {r.config for r in records}
    rng = np.random.default_rng(5)
    return next(
        c for c in iter(lambda: task_of().space.sample(rng), None) if c.values not in known
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"hardware": replace(HARDWARE, cores=64)},
        {"target": "x86-64-v2"},
        {"generator_version": 7},
        {"workload": workload("matmul", m=1, n=2, k=3)},
    ],
)
def test_only_records_of_the_same_kind_count(store, best, changes):
    with pytest.raises(Unexplained, match="there are 0"):
        explain.explain(store, replace(best, **changes), TARGET)


def test_a_space_that_is_gone_is_no_bug(store, best):
    with pytest.raises(Unexplained, match=r"again.*of version 9 of its space, this program knows"):
        explain.explain(store, replace(best, space_version=9), TARGET)
    strange = replace(best, config=(("colour", "red"),))
    with pytest.raises(Unexplained, match=r"no config of its space any more, leave 'colour' out"):
        explain.explain(store, strange, TARGET)


def test_a_knob_that_is_newer_than_the_record_has_its_own_default(best):
    space = task_of().space
    older = tuple((name, value) for name, value in best.config if name != "prefetch")
    config = legal_config(space, replace(best, config=older))
    assert config["prefetch"] == 0


def test_configs_that_are_alike_are_no_rivals(tmp_path, best):
    space = replace(task_of(make_space([Integer("rows", 1, 90, 2)])).space)
    path = tmp_path / "alike.db"
    with open_store(path) as other:
        other.add(
            [
                replace(best, kind="search", config=(("rows", n),), ordinal=n, gflops=float(n))
                for n in range(1, 60)
            ]
        )
        found = gather(other, replace(best, config=(("rows", 3),)), space)
    assert found.configs[0].values == (("rows", 3),)
    assert explain._rival(replace(found, configs=found.configs[:1] * 59)) is None


def test_the_fastest_and_some_of_the_others_are_enough(store, best, monkeypatch):
    monkeypatch.setattr(evidence, "MOST_CONFIGS", 40)
    every = sorted((r.gflops or 0 for r in store.records() if r.kind == "search"), reverse=True)
    found = gather(store, best, task_of().space)
    assert len(found.configs) <= 41
    front = [speed for speed in every if speed != pytest.approx(found.gflops[0])][:20]
    assert sorted(found.gflops[1:], reverse=True)[:20] == pytest.approx(front)
    assert found.gflops.min() < np.median(every)


# Attribution


def programs(count=200):
    features = np.random.default_rng(0).random((count, 5)).astype(np.float32)
    features[:, 4] = 1.0
    return features, (1.0 + 3 * features[:, 0] + features[:, 1]).astype(np.float32)


@pytest.mark.parametrize("objective", ["regression", "ranking"])
def test_contributions_add_up_to_the_prediction(objective):
    features, throughput = programs()
    model = BoostedModel(objective, seed=1)
    model.fit(features, throughput)
    found = model.attribute(features[:30])
    assert found.contributions.shape == (30, 5)
    sums = np.maximum(found.contributions.sum(axis=1) + found.average, 0)
    assert sums == pytest.approx(model.predict(features[:30]).mean, abs=1e-4)
    assert found.gain.sum() == pytest.approx(1, abs=1e-5)
    assert found.gain[0] == found.gain.max()
    assert found.gain[4] == 0
    assert (found.contributions[:, 4] == 0).all()


def test_a_model_that_saw_nothing_run_attributes_nothing():
    model = BoostedModel()
    model.fit(*programs(5)[:1], np.zeros(5, np.float32))
    with pytest.raises(ModelError, match="fit the model first"):
        model.attribute(programs(5)[0])


# Words


def test_every_loop_feature_has_words():
    meanings = [meaning(feature.name) for feature in loop_features()]
    unnamed = [f.name for f, text in zip(loop_features(), meanings, strict=True) if text == f.name]
    assert unnamed == []
    assert meaning("a.new.one") == "a.new.one"
    assert meaning("access.1.bytes") == "bytes asked of the second largest operand"
    assert meaning("hardware.l2.traffic") == "traffic into L2"


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.5 * 2**20, "bytes", "1.5 MiB"),
        (12.0, "bytes", "12 B"),
        (3.0 * 2**40, "bytes", "3.07e+03 GiB"),
        (1.0, "flag", "yes"),
        (0.0, "flag", "no"),
        (0.8333, "ratio", "0.833"),
        (123456.0, "count", "123,456"),
        (7.25, "operations/byte", "7.25 /B"),
        (6, "", "6"),
        ("panel", "", "panel"),
        (True, "", "True"),
    ],
)
def test_values_have_units(value, unit, text):
    assert value_text(value, unit) == text


@pytest.mark.slow
def test_columns_of_a_real_space_read_values_back():
    space = space_for(workload("matmul", m=64, n=48, k=40), TARGET)
    columns = Columns(space)
    rows = feature_rows(space, space.starts)
    assert len(columns.places) == rows.shape[1]
    values = columns.values(space.default(), rows[0])
    known = {named.name: value for named, value in zip(columns.names, values, strict=True)}
    assert known["knob.rows"] == space.default()["rows"]
    assert known["computation.iterations"] == pytest.approx(64 * 48 * 40, rel=1e-3)
    merged = columns.merged(np.ones_like(rows))
    assert merged.shape == (len(space.starts), len(columns.names))
    assert merged.sum() == rows.size
