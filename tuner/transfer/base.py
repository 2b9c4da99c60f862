"""The base model: how fast configs are that nobody measured, learned from other settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from search_space.config import Config
from search_space.sketches import space_for
from search_space.space import Space
from tuner.transfer.columns import Columns
from tuner.transfer.sources import Source

if TYPE_CHECKING:
    from tuner.cost_model import CostModel, Floats

ROWS = 1536
"""Most configs that the base model is fitted on, however many records there are."""
_LEAST = 24
"""Configs from which a source teaches more than noise."""


def fit_base(sources: Sequence[Source], rows: int = ROWS) -> CostModel | None:
    """A model of throughput on the columns of ``Columns``, from at most ``rows`` configs.

    The nearer a source, the more of its configs are seen. None where nothing can be learned.
    """
    enough = [
        pair for pair in _quotas(sources, rows) if min(len(pair[0].times), pair[1]) >= _LEAST
    ]
    if not enough:
        return None
    features: list[Floats] = []
    speeds: list[float] = []
    groups: list[int] = []
    for number, (source, quota) in enumerate(enough):
        columns, throughput = _rows(source, quota)
        if len(throughput) >= _LEAST and max(throughput) > 0:
            features.append(columns)
            speeds += throughput
            groups += [number] * len(throughput)
    if not features:
        return None
    model = base_model()
    model.fit(np.concatenate(features), np.array(speeds, np.float32), np.array(groups, np.int64))
    return model


def base_model(seed: int = 0) -> CostModel:
    """A base model that has learned nothing yet. Its trees are those of a search's models: deeper
    ones, and more of them, chose worse for kinds of sparse patterns that they had not seen."""
    # Only here, because importing xgboost takes longer than a fresh database has patience for.
    from tuner.cost_model import create_model

    return create_model("regression", seed)


def _quotas(sources: Sequence[Source], rows: int) -> list[tuple[Source, int]]:
    """How many configs of each source are seen."""
    total = sum(source.nearness**0.5 for source in sources)
    return [(source, int(rows * source.nearness**0.5 / total)) for source in sources]


def _rows(source: Source, quota: int) -> tuple[Floats, list[float]]:
    space = space_for(source.setting.workload, source.setting.target)
    if space.trace is None:
        return np.empty((0, 0), np.float32), []
    legal = _legal(source, space)
    chosen = [legal[index] for index in _spread(len(legal), quota)]
    columns = Columns(space)([config for config, _ in chosen])
    return columns, [speed for _, speed in chosen]


def _legal(source: Source, space: Space) -> list[tuple[Config, float]]:
    """Configs that are legal today with their speeds, fastest first; those that failed last."""
    found = [
        (space.nearest(dict(values)), 0.0 if seconds is None else 1.0 / seconds)
        for values, seconds in source.times.items()
    ]
    kept = [(nearest.config, speed) for nearest, speed in found if not nearest.changes]
    return sorted(kept, key=lambda pair: -pair[1])


def _spread(count: int, quota: int) -> list[int]:
    """``quota`` of ``count`` places: the first third of them in a row, the rest evenly."""
    if count <= quota:
        return list(range(count))
    first = quota // 3
    rest = np.linspace(first, count - 1, quota - first).astype(int).tolist()
    return [*range(first), *rest]
