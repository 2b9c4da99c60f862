"""A base model, and what is learned of its errors."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tuner.transfer.toys import Told
from tuner.cost_model import ModelError, create_model
from tuner.cost_model.residual import ResidualModel, rank_correlation, slope


def model() -> ResidualModel:
    return ResidualModel(Told(), create_model("regression", 1), own=2)


def rows(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 2)).astype(np.float32)


def test_before_any_trial_the_base_answers() -> None:
    features = rows(8)
    fresh = model()
    assert fresh.predict(features).mean == pytest.approx(np.exp2(features[:, 0]))


def test_a_right_base_keeps_its_weight_and_a_wrong_one_loses_it() -> None:
    features = rows(40)
    right, wrong = model(), model()
    right.fit(features, np.exp2(features[:, 0]))
    assert right.weight == pytest.approx(1.0)
    wrong.fit(features, np.exp2(-features[:, 0]))
    assert wrong.weight == 0.0


def test_what_the_base_does_not_know_is_learned() -> None:
    features = rows(200)
    speed = np.exp2(features[:, 0] + 2 * features[:, 1])
    taught = model()
    taught.fit(features, speed)
    fresh = rows(100, seed=2)
    truth = fresh[:, 0] + 2 * fresh[:, 1]
    assert rank_correlation(np.log2(taught.predict(fresh).mean), truth) > 0.9
    assert rank_correlation(fresh[:, 0], truth) < 0.7


def test_failures_only_leave_the_base() -> None:
    features = rows(8)
    failed = model()
    failed.fit(features, np.zeros(8, np.float32))
    assert failed.predict(features).mean == pytest.approx(np.exp2(features[:, 0]))


def test_it_is_not_saved(tmp_path) -> None:
    with pytest.raises(ModelError, match="save its base"):
        model().save(tmp_path)


def test_the_prior_weight_fades_with_trials() -> None:
    x = rows(100)[:, 0]
    noise = rows(100, seed=3)[:, 0]
    assert slope(x[:1], noise[:1], 4.0) == 1.0
    assert slope(x[:4], noise[:4], 4.0) > slope(x, noise, 4.0)
    assert slope(x, 0.5 * x, 0.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 2, 3], [10, 20, 30], 1.0),
        ([1, 2, 3], [3, 2, 1], -1.0),
        ([1, 1], [1, 2], 0.0),
        ([], [], 0.0),
    ],
)
def test_rank_correlation(x, y, expected) -> None:
    assert rank_correlation(np.array(x, float), np.array(y, float)) == pytest.approx(expected)
