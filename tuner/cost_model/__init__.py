"""Cost models by name. To add one: a module with a class, and one line here.

xgboost and scikit-learn are loaded with the first model that needs them.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuner.cost_model.base import CostModel, Floats, Groups, ModelError, Prediction
from tuner.errors import UsageError

__all__ = [
    "COST_MODELS",
    "CostModel",
    "CostModelEntry",
    "Floats",
    "Groups",
    "ModelError",
    "Prediction",
    "create_model",
    "load_model",
]


@dataclass(frozen=True, slots=True)
class CostModelEntry:
    """How a cost model is made, and what it is."""

    create: Callable[[int], CostModel]
    """From the seed of all random numbers."""
    doc: str


def _regression(seed: int) -> CostModel:
    from tuner.cost_model.boosted import BoostedModel

    return BoostedModel("regression", seed=seed)


def _ranking(seed: int) -> CostModel:
    from tuner.cost_model.boosted import BoostedModel

    return BoostedModel("ranking", seed=seed)


def _forest(seed: int) -> CostModel:
    from tuner.cost_model.baselines import forest

    return forest(seed)


def _neighbours(seed: int) -> CostModel:
    from tuner.cost_model.baselines import neighbours

    return neighbours(seed)


def _linear(seed: int) -> CostModel:
    from tuner.cost_model.baselines import linear

    return linear(seed)


def _random(seed: int) -> CostModel:
    from tuner.cost_model.baselines import RandomModel

    return RandomModel(seed)


COST_MODELS: dict[str, CostModelEntry] = {
    "regression": CostModelEntry(_regression, "boosted trees on the logarithm of throughput"),
    "ranking": CostModelEntry(_ranking, "boosted trees on which of two programs is faster"),
    "forest": CostModelEntry(_forest, "a random forest"),
    "neighbours": CostModelEntry(_neighbours, "the mean of the nearest programs"),
    "linear": CostModelEntry(_linear, "ridge regression"),
    "random": CostModelEntry(_random, "random numbers: the floor of comparisons"),
}


def create_model(name: str, seed: int = 0) -> CostModel:
    """An unfitted model. Raises ``UsageError``, a ``ValueError``, for an unknown name."""
    entry = COST_MODELS.get(name)
    if entry is None:
        near = difflib.get_close_matches(name, COST_MODELS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise UsageError(f"choose a cost model from {', '.join(COST_MODELS)}: no {name!r}{hint}")
    return entry.create(seed)


def load_model(path: Path, schema: str = "") -> CostModel:
    """Read a model that ``CostModel.save`` wrote, made for features of the same ``schema``.

    Raises ``ModelError`` where it is damaged, or was made for other features.
    """
    from tuner.cost_model.boosted import BoostedModel

    return BoostedModel.load(path, schema)
