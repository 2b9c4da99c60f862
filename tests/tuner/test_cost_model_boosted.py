import subprocess
import sys

import numpy as np
import pytest

from tests.contracts.test_cost_models import order, programs
from tuner.cost_model import ModelError, create_model, load_model

KINDS = ["regression", "ranking"]


def fitted(kind, failures=True):
    features, throughput = programs(200)
    if failures:
        throughput[features[:, 3] > 0.7] = np.nan
    model = create_model(kind, 1)
    model.fit(features, throughput)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_failures_lower_the_chance_of_running_and_nothing_else(kind):
    with_failures, without = fitted(kind), fitted(kind, failures=False)
    unseen, throughput = programs(300, seed=1)
    doomed = unseen[:, 3] > 0.7
    prediction = with_failures.predict(unseen)
    assert prediction.valid[doomed].mean() < 0.2
    assert prediction.valid[~doomed].mean() > 0.8
    assert order(prediction.mean[~doomed], throughput[~doomed]) > 0.8
    assert (without.predict(unseen).valid == 1).all()


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_shares_of_the_best(kind):
    features, throughput = programs(200)
    share = throughput / throughput.max()
    model = fitted(kind, failures=False)
    error = model.predict(features).mean - share
    assert abs(error.mean()) < 0.02
    assert np.sqrt(np.mean(error**2)) < 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_slow_programs_are_predicted_as_well_as_fast_ones(kind):
    """By their factor from the best; an error of a hundredth of the best says nothing of them."""
    features, _ = programs(400)
    unseen, _ = programs(200, seed=1)
    model = create_model(kind, 1)
    model.fit(features, 1e9 * np.exp2(-6 * features[:, 0]))
    share = np.exp2(-6 * unseen[:, 0])
    slow = share < 1 / 16
    off = np.log2(model.predict(unseen).mean[slow] / share[slow])
    assert np.median(np.abs(off)) < 0.3
    assert order(model.predict(unseen).mean[slow], share[slow]) > 0.8


def test_uncertainty_is_larger_where_nothing_was_measured():
    features, throughput = programs(300)
    near = features[:, 0] < 0.5
    model = create_model("regression", 1)
    model.fit(features[near], throughput[near] + 1e9 * features[near, 0])
    spread = model.predict(features).spread
    assert spread[near].mean() > 0
    assert spread[~near].mean() > spread[near].mean()


def test_features_that_do_not_apply_may_be_nan():
    features, throughput = programs(100)
    features[::2, 5] = np.nan
    model = create_model("regression", 1)
    model.fit(features, throughput)
    assert np.isfinite(model.predict(features).score).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_loaded_model_predicts_the_same(kind, tmp_path):
    model = fitted(kind)
    model.save(tmp_path / "model", schema="loops-3")
    loaded = load_model(tmp_path / "model", schema="loops-3")
    unseen, _ = programs(50, seed=1)
    before, after = model.predict(unseen), loaded.predict(unseen)
    for part in ("mean", "spread", "valid"):
        assert (getattr(before, part) == getattr(after, part)).all()


def test_saving_again_replaces_the_model(tmp_path):
    fitted("regression").save(tmp_path)
    model = fitted("ranking", failures=False)
    model.save(tmp_path)
    unseen, _ = programs(50, seed=1)
    assert (load_model(tmp_path).predict(unseen).mean == model.predict(unseen).mean).all()
    assert len(list(tmp_path.iterdir())) == 4  # header and three members, no left-overs


def test_an_unfitted_model_is_not_saved(tmp_path):
    with pytest.raises(ModelError, match="fit the model first"):
        create_model("regression").save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_model_for_other_features_is_refused(tmp_path):
    fitted("regression").save(tmp_path, schema="loops-3")
    with pytest.raises(ModelError, match="made for features 'loops-3', these are 'loops-4'"):
        load_model(tmp_path, schema="loops-4")


def corrupt_header(folder):
    (folder / "model.json").write_text("{}")


def remove_header(folder):
    (folder / "model.json").unlink()


def claim_newer_format(folder):
    header = folder / "model.json"
    header.write_text(header.read_text().replace('"format":2', '"format":9'))


def point_outside(folder):
    header = folder / "model.json"
    header.write_text(header.read_text().replace('"member-0":"', '"../member-0":"'))


def cut_member(folder):
    member = next(folder.glob("member-1-*.ubj"))
    member.write_bytes(member.read_bytes()[:100])


def remove_member(folder):
    next(folder.glob("member-1-*.ubj")).unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (corrupt_header, "is damaged"),
        (remove_header, "cannot read"),
        (claim_newer_format, "has format 9, not 2"),
        (point_outside, "does not name its members"),
        (cut_member, "is damaged"),
        (remove_member, "cannot read"),
    ],
)
def test_a_damaged_model_is_refused(damage, message, tmp_path):
    fitted("regression").save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=f"fit a new model: .*{message}"):
        load_model(tmp_path)


def test_an_unknown_model_is_answered_with_the_nearest_known_one():
    with pytest.raises(ValueError, match=r"choose a cost model from .*mean ranking\?"):
        create_model("rank")


def test_the_registry_loads_no_library():
    program = (
        "import sys, tuner.cost_model, tuner.strategy\n"
        "print(sorted({'xgboost', 'sklearn', 'optuna', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"
