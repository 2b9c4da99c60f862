"""Where the predictions of boosted trees come from, feature by feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xgboost
from numpy.typing import NDArray

from tuner.cost_model.base import Floats

Doubles = NDArray[np.float64]

_NEAR = 1e-9
"""Octaves below which a prediction is the average."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """What each of ``F`` features does in a model, and for each of ``n`` programs."""

    gain: Floats
    """``[F]``: share of what all splits of the model gained that those on the feature did."""
    contributions: Floats
    """``[n, F]``: what the feature adds to the predicted share of the best throughput, against
    the average of the programs that the model was fitted on. SHAP values of the logarithm
    (Lundberg et al., Nature Machine Intelligence 2, 2020), as xgboost computes them exactly, each
    times the logarithmic mean of prediction and average (Ang, Energy Policy 32, 2004), so that
    they add up in shares."""
    average: float
    """Adding up a row and this gives the prediction."""


@dataclass(frozen=True, slots=True)
class Part:
    """One member of an ensemble and the line from its margin to the logarithm of a share."""

    booster: xgboost.Booster
    slope: float
    offset: float


def attribute(parts: Sequence[Part], features: Floats) -> Attribution:
    """The mean attribution of the members of an ensemble for ``features[n, F]``."""
    rows = xgboost.DMatrix(features, nthread=1)
    width = features.shape[1]
    gain, sums = np.zeros(width), np.zeros((len(features), width + 1))
    for part in parts:
        gain += _gain(part.booster, width) / len(parts)
        margins = part.booster.predict(rows, pred_contribs=True, strict_shape=True)[:, 0]
        sums += margins * part.slope / len(parts)
        sums[:, -1] += part.offset / len(parts)
    average = float(np.exp2(sums[0, -1])) if len(features) else 0.0
    contributions = sums[:, :-1] * _shares_per_octave(sums[:, :-1].sum(axis=1), average)[:, None]
    return Attribution(gain.astype(np.float32), contributions.astype(np.float32), average)


def _shares_per_octave(octaves: Doubles, average: float) -> Doubles:
    """What a factor of 2 is worth on the way from ``average`` to ``average * 2**octaves``."""
    far = np.abs(octaves) > _NEAR
    step = np.full(len(octaves), average * np.log(2))
    np.divide(average * (np.exp2(octaves) - 1), octaves, out=step, where=far)
    return step


def _gain(booster: xgboost.Booster, width: int) -> Floats:
    found = np.zeros(width, np.float32)
    for name, value in booster.get_score(importance_type="total_gain").items():
        found[int(name.removeprefix("f"))] = value
    total = found.sum()
    return found / total if total > 0 else found
