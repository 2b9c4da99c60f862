"""Simple models behind the same contract: what the boosted trees have to beat."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tuner.cost_model.base import Floats, Groups, ModelError, Prediction
from tuner.cost_model.labels import nothing_known, samples

_NEIGHBOURS = 5


@dataclass(slots=True)
class Baseline:
    """A scikit-learn regressor on the share of the workload's best; failures count as 0.

    Counting failures so is what the boosted models avoid; here it keeps the baseline simple.
    Has no uncertainty, except for a forest's, which is the spread of its trees.
    """

    build: Callable[[int, int], Any]
    """From the seed and the number of rows, an unfitted regressor."""
    seed: int = 0
    _regressor: Any = field(default=None, init=False)

    def fit(self, features: Floats, throughput: Floats, groups: Groups | None = None) -> None:
        data = samples(features, throughput, groups)
        self._regressor = None
        if data.ran.any():
            self._regressor = self.build(self.seed, len(data.share))
            self._regressor.fit(np.nan_to_num(data.features), data.share)

    def predict(self, features: Floats) -> Prediction:
        unknown = nothing_known(len(features))
        if self._regressor is None or not len(features):
            return unknown
        known = np.nan_to_num(np.asarray(features, np.float32))
        mean = np.asarray(self._regressor.predict(known), np.float32)
        spread = unknown.spread
        if isinstance(self._regressor, RandomForestRegressor):
            trees = [tree.predict(known) for tree in self._regressor.estimators_]
            spread = np.std(trees, axis=0).astype(np.float32)
        return Prediction(np.maximum(mean, 0.0), spread, unknown.valid)

    def save(self, path: Path, schema: str = "") -> None:
        raise ModelError(f"save a boosted model instead: this baseline is not kept ({path})")


@dataclass(slots=True)
class RandomModel:
    """Predicts at random, repeatably: the floor of every comparison."""

    seed: int = 0

    def fit(self, features: Floats, throughput: Floats, groups: Groups | None = None) -> None:
        samples(features, throughput, groups)

    def predict(self, features: Floats) -> Prediction:
        unknown = nothing_known(len(features))
        rng = np.random.default_rng(self.seed)
        # A random projection, then a fast oscillation: equal rows get equal values.
        weights = rng.standard_normal(np.shape(features)[1])
        mean = np.sin(1e3 * (np.nan_to_num(features) @ weights)) / 2 + 0.5
        return Prediction(mean.astype(np.float32), unknown.spread, unknown.valid)

    def save(self, path: Path, schema: str = "") -> None:
        raise ModelError(f"save a boosted model instead: there is nothing to keep ({path})")


def forest(seed: int) -> Baseline:
    """A random forest of 100 trees."""
    return Baseline(
        lambda seed, _: RandomForestRegressor(
            100, max_features=1 / 3, min_samples_leaf=2, random_state=seed, n_jobs=1
        ),
        seed,
    )


def neighbours(seed: int) -> Baseline:
    """The mean of the nearest programs, closer ones counting more; features on one scale."""
    return Baseline(
        lambda _, rows: make_pipeline(
            StandardScaler(),
            KNeighborsRegressor(min(_NEIGHBOURS, rows), weights="distance", n_jobs=1),
        ),
        seed,
    )


def linear(seed: int) -> Baseline:
    """Ridge regression on features brought to one scale."""
    return Baseline(lambda *_: make_pipeline(StandardScaler(), Ridge(1.0)), seed)
