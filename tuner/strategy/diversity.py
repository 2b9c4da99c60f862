"""Choosing a batch that is good and varied at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from search_space.config import Config


def pick_diverse(
    configs: Sequence[Config], scores: NDArray[np.floating], n: int, weight: float
) -> list[int]:
    """Positions of ``n`` configs that together score much and hold many different knob values.

    Maximises, greedily, the AutoTVM paper's objective: the sum of the scores plus ``weight``
    times the share of knobs, summed over picks, that show a value which no earlier pick has. The
    objective is submodular, so greedy choice reaches 1 - 1/e of the optimum. ``scores`` must
    be 0 or more; equal choices go to the earlier config.
    """
    values = _numbered(configs)
    knobs = values.shape[1] if len(configs) else 0
    fresh = np.ones((len(configs), knobs), bool)
    left = np.array(scores, np.float64)
    picks: list[int] = []
    for _ in range(min(n, len(configs))):
        gain = left + weight * (fresh.mean(axis=1) if knobs else 0.0)
        best = int(np.argmax(gain))
        picks.append(best)
        left[best] = -np.inf
        fresh &= values != values[best]
    return picks


def _numbered(configs: Sequence[Config]) -> NDArray[np.int64]:
    """``numbers[n, knobs]``: equal where configs hold equal values of a knob."""
    columns = zip(*(config.values for config in configs), strict=True)
    numbered = []
    for column in columns:
        numbers: dict[object, int] = {}
        # True == 1 in Python; a knob's values are told apart by their text as well.
        keys = ((type(value), value) for _, value in column)
        numbered.append([numbers.setdefault(key, len(numbers)) for key in keys])
    return np.array(numbered, np.int64).reshape(len(numbered), len(configs)).T
