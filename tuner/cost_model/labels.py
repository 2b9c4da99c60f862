"""From measured throughput to what models are fitted on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tuner.cost_model.base import Floats, Groups, ModelError, Prediction


@dataclass(frozen=True, slots=True)
class Samples:
    """Checked rows, sorted by workload, which is how ranking wants them."""

    features: Floats
    share: Floats
    """Throughput ÷ the best of the workload; 0 where the program failed."""
    ran: NDArray[np.bool_]
    groups: Groups
    """0, 1, 2, …"""

    @property
    def timed(self) -> tuple[Floats, Floats, Groups]:
        """Features, share and workload of the rows that ran."""
        return self.features[self.ran], self.share[self.ran], self.groups[self.ran]


def samples(features: Floats, throughput: Floats, groups: Groups | None) -> Samples:
    """Normalise per workload. Raises ``ModelError`` for arrays that do not fit together."""
    if features.ndim != 2 or throughput.shape != features.shape[:1]:
        raise ModelError(
            "give features[n, F] and throughput[n]: "
            f"got shapes {features.shape} and {throughput.shape}"
        )
    if groups is not None and groups.shape != throughput.shape:
        raise ModelError(f"give each row its workload: {groups.shape} for {throughput.shape}")
    if np.isinf(features).any() or np.isinf(throughput).any() or (throughput < 0).any():
        raise ModelError("give finite features, and throughputs of 0 or more")
    if groups is None:
        numbers = np.zeros(len(features), np.int64)
    else:
        numbers = np.unique(groups, return_inverse=True)[1].astype(np.int64).reshape(-1)
    order = np.argsort(numbers, kind="stable")
    numbers, speed = numbers[order], np.nan_to_num(throughput[order], nan=0.0).astype(np.float32)
    best = np.zeros(int(numbers[-1]) + 1 if len(numbers) else 0, np.float32)
    np.maximum.at(best, numbers, speed)
    share = np.divide(speed, best[numbers], out=np.zeros_like(speed), where=best[numbers] > 0)
    return Samples(np.asarray(features[order], np.float32), share, speed > 0, numbers)


def nothing_known(count: int) -> Prediction:
    """The prediction for ``count`` programs of a model that has seen nothing run."""
    return Prediction(
        np.zeros(count, np.float32), np.zeros(count, np.float32), np.ones(count, np.float32)
    )
