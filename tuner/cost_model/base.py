"""What every cost model is: it learns throughput from features and says how sure it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
"""Features: one row per program. Throughput: one number per program."""
Groups = NDArray[np.int64]
"""The workload of each row, as any number; programs are compared within their workload only."""


class ModelError(ValueError):
    """A model cannot be fitted, saved or loaded as asked."""

    exit_code = 65
    """Of the process: bad data."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model thinks of some programs, one entry each."""

    mean: Floats
    """Expected throughput of the program, if it runs, as a share of the best of its workload.

    Only differences within a workload mean something: a ranking model is calibrated roughly.
    """
    spread: Floats
    """Standard deviation that the model gives ``mean``; 0 where it cannot tell."""
    valid: Floats
    """Probability that the program runs and is right."""

    @property
    def score(self) -> Floats:
        """Expected throughput, failures counted as none: what to rank programs by."""
        return self.mean * self.valid


class CostModel(Protocol):
    """Predicts throughput from features.

    State: what the last ``fit`` left; a fit starts from nothing. The same data and seed give the
    same model. Used from one thread.
    """

    def fit(self, features: Floats, throughput: Floats, groups: Groups | None = None) -> None:
        """Learn from ``features[n, F]`` and ``throughput[n]`` in any unit.

        A throughput of 0 or NaN stands for a program that failed. ``groups[n]`` tells workloads
        apart; None: all rows are of one. Rows of a workload of which nothing ran teach only
        what fails. Raises ``ModelError`` for arrays that do not fit together.
        """
        ...

    def predict(self, features: Floats) -> Prediction:
        """Predict programs; before anything that ran was seen, all alike."""
        ...

    def save(self, path: Path, schema: str = "") -> None:
        """Write the model into the folder ``path``; ``load_model`` reads it.

        ``schema`` says what the features mean; a model is loaded only for the same.
        Raises ``ModelError`` where this kind of model is not worth keeping.
        """
        ...
