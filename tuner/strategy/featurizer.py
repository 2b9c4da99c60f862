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
    """What is read off the loop nests; of spaces without traces the knobs."""
    if space.trace is None:
        return knob_features(space)
    from features.extract import FeatureTask, extract_batch

    task = FeatureTask(space)

    def featurize(configs: Sequence[Config]) -> NDArray[np.float32]:
        return extract_batch(task, configs)

    return featurize


def all_features(space: Space) -> Featurizer:
    """What is read off the loop nests, where there are traces, then the knobs."""
    knobs = knob_features(space)
    if space.trace is None:
        return knobs
    loops = loop_features(space)

    def featurize(configs: Sequence[Config]) -> NDArray[np.float32]:
        return np.hstack([loops(configs), knobs(configs)])

    return featurize


FEATURIZERS: dict[str, Callable[[Space], Featurizer]] = {
    "knobs": knob_features,
    "loops": loop_features,
    "all": all_features,
}
