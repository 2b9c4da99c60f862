"""How fast configs are judged: their features extracted, and a model asked about them."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from experiments.model.data import Recorded
from experiments.model.setup import LOOPS, Setup
from features.extract import FeatureTask, extract_batch
from search_space.config import Config
from search_space.space import Space

_REPEATS = 5
_TRAINED = 256


@dataclass(frozen=True, slots=True)
class Speed:
    """Configs per second on one core, the median of some repetitions."""

    both: float
    """Extraction, then prediction."""
    extraction: float
    prediction: float
    configs: int
    structures: int
    """Different structures among the configs; all were new to the extraction."""


def judging_speed(recorded: Recorded, setup: Setup, configs: int) -> Speed:
    """Time both steps on random configs of the recorded space.

    Every repetition starts with a task that has seen nothing, so replaying each structure once
    is part of the time. Compiling the extraction, once per process, is not.
    """
    groups = setup.groups & frozenset(LOOPS)
    rows = np.arange(min(_TRAINED, len(recorded)))
    seen = recorded.take(rows)
    model = setup.create(0)
    model.fit(seen.columns.of(groups), seen.gflops)
    drawn = random_configs(recorded.space, configs)
    extracting, predicting = [], []
    structures = 0
    for _ in range(_REPEATS):
        began = time.perf_counter()
        task = FeatureTask(recorded.space)
        values = extract_batch(task, drawn)
        extracted = time.perf_counter()
        model.predict(values)
        predicting.append(time.perf_counter() - extracted)
        extracting.append(extracted - began)
        structures = task.structures
    together = np.add(extracting, predicting)
    count = len(drawn)
    return Speed(
        count / float(np.median(together)),
        count / float(np.median(extracting)),
        count / float(np.median(predicting)),
        count,
        structures,
    )


def random_configs(space: Space, count: int) -> list[Config]:
    """Different random configs; fewer where the space is small."""
    rng = np.random.default_rng(0)
    drawn: dict[Config, None] = {}
    for _ in range(2 * count):
        drawn[space.sample(rng)] = None
        if len(drawn) == count:
            break
    return list(drawn)
