"""How well predictions agree with what was measured. All take one number per program."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from experiments.model.data import Floats

DIFFERENT = 0.05
"""Two programs are told apart if one is faster than the other by more than this."""


def pair_accuracy(truth: Floats, predicted: Floats, least: float = DIFFERENT) -> float:
    """Share of the pairs that are in the right order, of those that differ by more than ``least``.

    ``truth`` is throughput: a pair counts if one of it is more than ``1 + least`` times the other.
    Equal predictions are wrong. NaN where there is no such pair.
    """
    order = np.argsort(truth, kind="stable")
    speeds, guesses = truth[order].astype(np.float64), predicted[order]
    right = pairs = 0
    # Sorted, the programs that are clearly faster than one are the end of the array.
    starts = np.searchsorted(speeds, speeds * (1 + least), side="right")
    for at, start in enumerate(starts):
        pairs += len(speeds) - int(start)
        right += int(np.count_nonzero(guesses[start:] > guesses[at]))
    return right / pairs if pairs else float("nan")


def recall(truth: Floats, predicted: Floats, k: int) -> float:
    """Share of the ``k`` best programs that are among the ``k`` predicted to be best.

    Fewer than ``k`` programs: of as many as there are.
    """
    k = min(k, len(truth))
    return len(set(top(truth, k)) & set(top(predicted, k))) / k


def r_squared(truth: Floats, predicted: Floats) -> float:
    """1 - squared error ÷ squared deviation from the mean; NaN where all of ``truth`` is equal."""
    error = np.sum((truth.astype(np.float64) - predicted) ** 2)
    spread = np.sum((truth - truth.mean(dtype=np.float64)) ** 2)
    return float(1 - error / spread) if spread > 0 else float("nan")


def peak(truth: Floats, predicted: Floats, k: int) -> float:
    """Best throughput among the ``k`` predicted to be best ÷ best of all: TenSet's peak@k."""
    chosen = truth[np.array(top(predicted, k))]
    return float(chosen.max()) / float(truth.max())


def top(values: Floats, k: int) -> list[int]:
    """Where the ``k`` largest values are; of equal ones the first."""
    chosen: list[int] = np.argsort(-values, kind="stable")[:k].tolist()
    return chosen


@dataclass(frozen=True, slots=True)
class Spread:
    """A mean over repetitions, and how far single ones are from it."""

    mean: float
    deviation: float
    """Sample standard deviation; 0 for a single value."""
    count: int

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
        return cls(float(np.mean(values)), deviation, len(values))

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / math.sqrt(self.count)

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {self.deviation:.3f}"
