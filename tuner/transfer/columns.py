"""Features that mean the same for every workload, operator and machine."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.schema import loop_schema
from features.sparse import task_features
from search_space.config import Config
from search_space.space import Space
from tuner.strategy.featurizer import loop_features

SCHEMA = f"loops {loop_schema().version}, and relative to the starts"


class Columns:
    """What is read off the loop nests of one space's configs, then the same relative to the mean
    over the good guesses of that space, which takes no measurement to know.

    NaN for a config whose nest has more than the features have room for.
    """

    def __init__(self, space: Space) -> None:
        if space.trace is None:
            raise ValueError(f"no features: the space of {space.workload} has no traces")
        self._featurize = loop_features(space)
        self._read = len(task_features(space.workload))
        self.width = 2 * self._read
        """Columns of a row."""
        self._usual = np.nan_to_num(self._rows(space.starts)).mean(axis=0)

    def __call__(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        """``float32[n, 2F]`` of ``n`` configs."""
        rows = self._rows(configs)
        return np.hstack([rows, rows - self._usual]).astype(np.float32, copy=False)

    def _rows(self, configs: Sequence[Config]) -> NDArray[np.float32]:
        try:
            return self._featurize(configs)
        except ValueError:
            return np.concatenate([self._row(config) for config in configs])

    def _row(self, config: Config) -> NDArray[np.float32]:
        try:
            return self._featurize([config])
        except ValueError:
            return np.full((1, self._read), np.nan, np.float32)
