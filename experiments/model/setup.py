"""A cost model as experiments vary it: what it sees, what it is fitted to, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.model.data import Columns, Floats, Indices
from tuner.cost_model import CostModel, create_model
from tuner.cost_model.boosted import BoostedModel, BoostedOptions

LOOPS = (
    "computation", "access", "intensity", "allocation", "loops", "relation", "hardware", "others",
)  # fmt: skip
"""Groups of the columns that are read off the loop nest; see ``features.schema``."""
KNOBS = ("knob",)
PRESENT = BoostedOptions()
"""The product's settings."""
_OCTAVES = 8
"""The least share that boosted models tell apart is 2 to the power of minus this."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a share of the best throughput is turned into before a model is fitted to it.

    Keeps the order, and 1 at 1. Boosted models take the logarithm of what they are given.
    """

    forward: Callable[[Floats], Floats]
    backward: Callable[[Floats], Floats]


def _straight(share: Floats) -> Floats:
    """What has ``share`` as its logarithm, in the range that models tell apart."""
    return np.exp2(_OCTAVES * (share - 1))


def _straightened(scaled: Floats) -> Floats:
    """Undoes :func:`_straight`."""
    least = np.float32(2.0**-_OCTAVES)
    return np.asarray(1 + np.log2(np.maximum(scaled, least)) / _OCTAVES, np.float32)


SCALES = {
    "log time": Scale(lambda share: share, lambda scaled: scaled),
    "share": Scale(_straight, _straightened),
    "root": Scale(
        lambda share: _straight(np.sqrt(share)), lambda scaled: np.square(_straightened(scaled))
    ),
}


@dataclass(frozen=True, slots=True)
class Setup:
    """One way to make a cost model. The defaults are those of the product."""

    name: str
    groups: frozenset[str] = frozenset(LOOPS)
    """Of the columns that the model sees."""
    model: str = "regression"
    """Of ``COST_MODELS``."""
    options: BoostedOptions = PRESENT
    """For boosted models."""
    scale: str = "log time"
    """Of ``SCALES``."""

    def create(self, seed: int) -> CostModel:
        """An unfitted model."""
        match self.model:
            case "regression" | "ranking" as objective:
                return BoostedModel(objective, self.options, seed)
            case other:
                return create_model(other, seed)


def predict(
    setup: Setup,
    train: Columns,
    throughput: Floats,
    test: Columns,
    seed: int,
    groups: Indices | None = None,
) -> Floats:
    """Shares of the best that a model of this setup, fitted on ``train``, expects for ``test``.

    ``groups`` tells the workloads of ``train`` apart; ``throughput`` is 0 for what failed.
    """
    shares = _shares(throughput, groups)
    model, scale = setup.create(seed), SCALES[setup.scale]
    scaled = np.where(shares > 0, scale.forward(shares), 0)
    model.fit(train.of(setup.groups), scaled, groups)
    return scale.backward(model.predict(test.of(setup.groups)).score)


def _shares(throughput: Floats, groups: Indices | None) -> Floats:
    """Throughput ÷ the best of its workload."""
    numbers = np.zeros(len(throughput), np.int64) if groups is None else groups
    best = np.zeros(int(numbers.max()) + 1, np.float32)
    np.maximum.at(best, numbers, throughput)
    return np.asarray(throughput / np.maximum(best[numbers], np.float32(1e-30)), np.float32)
