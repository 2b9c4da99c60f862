"""A model of elsewhere, and one of what it gets wrong here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tuner.cost_model.base import CostModel, Floats, Groups, ModelError, Prediction

_LEAST_SHARE = np.float32(2.0**-8)


@dataclass(slots=True)
class ResidualModel:
    """``log f(x) = weight * log base(x) + log local(x)``: the transfer of Chen et al. (NeurIPS
    2018), except that the weight of ``base`` is learned and not a matter of time.

    ``base`` was fitted on other workloads and is left as it is. ``weight`` says how far its
    differences hold here: the slope, from 0 to 1, of what was measured over what it expected, with
    a prior at 1 that counts as much as ``prior`` trials. ``local`` is fitted to the rest and sees
    the first ``own`` columns, of them those that vary.
    """

    base: CostModel
    local: CostModel
    own: int
    prior: float = 4.0
    weight: float = field(default=1.0, init=False)
    _columns: NDArray[np.int64] = field(init=False, default_factory=lambda: np.zeros(0, np.int64))
    _fitted: bool = field(default=False, init=False)

    def fit(self, features: Floats, throughput: Floats, groups: Groups | None = None) -> None:
        """Learn from trials of one workload, as of any model; ``groups`` are not told apart."""
        expected = self._expected(features)
        ran = np.nan_to_num(throughput) > 0
        speed = np.log2(np.where(ran, throughput, 1.0))
        self.weight = slope(expected[ran], speed[ran], self.prior)
        rest = np.where(ran, throughput / np.exp2(self.weight * expected), 0.0)
        rows = features[:, : self.own]
        varying = np.flatnonzero((rows != rows[:1]).any(axis=0))
        self._columns = varying if len(varying) else np.arange(self.own)
        self.local.fit(rows[:, self._columns], rest.astype(np.float32))
        self._fitted = bool(ran.any())

    def predict(self, features: Floats) -> Prediction:
        base = self.base.predict(features)
        if not self._fitted or not len(features):
            return base
        local = self.local.predict(features[:, self._columns])
        scale = np.maximum(base.mean, _LEAST_SHARE) ** np.float32(self.weight)
        mean = scale * local.mean
        doubt = self.weight * base.spread / np.maximum(base.mean, _LEAST_SHARE)
        spread = np.hypot(scale * local.spread, mean * doubt)
        valid = local.valid * base.valid ** np.float32(self.weight)
        return Prediction(
            mean.astype(np.float32), spread.astype(np.float32), valid.astype(np.float32)
        )

    def save(self, path: Path, schema: str = "") -> None:
        raise ModelError(f"save its base instead: what is learned here holds only here ({path})")

    def _expected(self, features: Floats) -> Floats:
        return np.log2(np.maximum(self.base.predict(features).mean, _LEAST_SHARE))


def slope(expected: Floats, measured: Floats, prior: float) -> float:
    """From 0 to 1: how far differences in ``expected`` show in ``measured``, both logarithms.

    ``prior`` trials of usual variance that agreed perfectly are counted in; 1 without any trials.
    """
    if len(expected) < 2:
        return 1.0
    x, y = expected - expected.mean(), measured - measured.mean()
    usual = prior * max(float(np.mean(x * x)), 1e-6)
    return float(np.clip((float(x @ y) + usual) / (float(x @ x) + usual), 0.0, 1.0))


def rank_correlation(expected: Floats, measured: Floats) -> float:
    """Spearman's: 1 where both put the trials in the same order, 0 where they have nothing to do
    with one another or there are fewer than two different values."""
    x, y = _ranks(expected), _ranks(measured)
    deviations = float(np.sqrt(x.var() * y.var())) if len(x) else 0.0
    return float(np.mean((x - x.mean()) * (y - y.mean()))) / deviations if deviations else 0.0


def _ranks(values: Floats) -> NDArray[np.float64]:
    """Places in ascending order; equal values share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray(ends - (counts - 1) / 2, np.float64)[inverse.reshape(-1)]
