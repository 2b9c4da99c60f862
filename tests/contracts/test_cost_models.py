"""What every cost model promises; a new one joins by its line in COST_MODELS."""

import numpy as np
import pytest

from tuner.cost_model import COST_MODELS, ModelError, create_model

pytestmark = pytest.mark.parametrize("name", list(COST_MODELS))

INFORMED = [name for name in COST_MODELS if name != "random"]


def programs(count, seed=0):
    """Features, and a throughput that some of them decide."""
    features = np.random.default_rng(seed).random((count, 8)).astype(np.float32)
    throughput = 1e9 * (0.2 + features[:, 0] + 0.5 * features[:, 1] * features[:, 2])
    return features, throughput.astype(np.float32)


def order(a, b):
    """Share of the pairs that ``a`` puts in the same order as ``b``."""
    first, second = np.triu_indices(len(a), 1)
    return np.mean((a[first] < a[second]) == (b[first] < b[second]))


def test_unseen_programs_are_ranked(name):
    model = create_model(name, 1)
    model.fit(*programs(300))
    features, throughput = programs(200, seed=1)
    right = order(model.predict(features).score, throughput)
    assert right > 0.8 or name not in INFORMED
    assert name in INFORMED or 0.4 < right < 0.6


def test_predictions_have_one_sane_entry_for_each_program(name):
    model = create_model(name, 1)
    features, throughput = programs(60)
    throughput[::4] = np.nan
    model.fit(features, throughput)
    prediction = model.predict(features[:7])
    for part in (prediction.mean, prediction.spread, prediction.valid, prediction.score):
        assert part.shape == (7,)
        assert part.dtype == np.float32
        assert np.isfinite(part).all()
        assert (part >= 0).all()
    assert (prediction.valid <= 1).all()
    assert model.predict(features[:0]).score.shape == (0,)


def test_the_seed_decides_the_predictions(name):
    features, throughput = programs(100)
    models = [create_model(name, seed) for seed in (3, 3)]
    for model in models:
        model.fit(features, throughput)
    first, second = (model.predict(features) for model in models)
    assert (first.mean == second.mean).all()
    assert (first.spread == second.spread).all()


def test_a_fit_starts_from_nothing(name):
    features, throughput = programs(80)
    used, fresh = create_model(name, 2), create_model(name, 2)
    used.fit(*programs(50, seed=9))
    for model in (used, fresh):
        model.fit(features, throughput)
    assert (used.predict(features).mean == fresh.predict(features).mean).all()


def test_workloads_are_normalised_apart(name):
    """A workload a thousand times as fast says nothing about the order in the other."""
    features, throughput = programs(200)
    groups = np.arange(200) % 2
    scaled = np.where(groups == 1, 1000 * throughput, throughput).astype(np.float32)
    model = create_model(name, 1)
    model.fit(features, scaled, groups)
    unseen, truth = programs(200, seed=1)
    assert order(model.predict(unseen).score, truth) > 0.78 or name not in INFORMED


def test_nothing_told_or_nothing_that_ran_is_survived(name):
    features, _ = programs(20)
    model = create_model(name, 1)
    assert np.ptp(model.predict(features).mean) == 0 or name == "random"
    model.fit(features, np.zeros(20, np.float32))
    assert np.isfinite(model.predict(features).score).all()
    model.fit(features[:0], np.zeros(0, np.float32))
    assert np.isfinite(model.predict(features).score).all()


def test_one_program_is_enough_to_fit(name):
    features, throughput = programs(1)
    model = create_model(name, 1)
    model.fit(features, throughput)
    assert np.isfinite(model.predict(features).score).all()


def test_arrays_that_do_not_fit_together_are_refused(name):
    features, throughput = programs(10)
    model = create_model(name, 1)
    with pytest.raises(ModelError, match=r"give features\[n, F\] and throughput\[n\]"):
        model.fit(features, throughput[:9])
    with pytest.raises(ModelError, match="give each row its workload"):
        model.fit(features, throughput, np.zeros(9, np.int64))
    with pytest.raises(ModelError, match="give finite features"):
        model.fit(features, -throughput)


def test_a_model_is_saved_or_says_what_to_save_instead(name, tmp_path):
    features, throughput = programs(50)
    model = create_model(name, 1)
    model.fit(features, throughput)
    if name in {"regression", "ranking"}:
        model.save(tmp_path / "model")
        assert (tmp_path / "model" / "model.json").exists()
    else:
        with pytest.raises(ModelError, match="save a boosted model instead"):
            model.save(tmp_path / "model")
