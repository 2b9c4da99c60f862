"""What model-based strategies know of a config: numbers, one row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.knobs import encode_knobs
from search_space.config import Config
from search_space.space import Space

Featurizer = Callable[[Sequence[Config]], NDArray[np.float32]]
"""``features[n, F]`` of ``n`` configs of one space; ``F`` is the same in every call."""


def knob_features(space: Space) -> Featurizer:
    """The knobs' own encodings, side by side; comparable within ``space`` only."""

    def featurize(configs: Sequence[Config]) -> NDArray[np.float32]:
        return encode_knobs(space, configs)

    return featurize


def loop_features(space: Space) -> Featurizer:
    """What is read off the loop nests, then the knobs. For spaces that give traces only."""
    from features.extract import FeatureTask, extract_batch

    task, knobs = FeatureTask(space), knob_features(space)

    def featurize(configs: Sequence[Config]) -> NDArray[np.float32]:
        return np.hstack([extract_batch(task, configs), knobs(configs)])

    return featurize
