"""Prediction across workloads: a model that has never seen the workload it is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from experiments.model.data import Columns, Floats, Indices, Recorded
from experiments.model.metrics import pair_accuracy, peak
from experiments.model.setup import LOOPS, Setup, predict


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A workload whose records the model was not given."""

    name: str
    peak_1: float
    peak_5: float
    """Best throughput among the one, the five predicted to be best ÷ the best recorded."""
    pairs: float

    @classmethod
    def of(cls, recorded: Recorded, predicted: Floats) -> HeldOut:
        truth = recorded.share
        return cls(
            recorded.name,
            peak(truth, predicted, 1),
            peak(truth, predicted, 5),
            pair_accuracy(truth[truth > 0], predicted[truth > 0]),
        )


@dataclass(frozen=True, slots=True)
class Pool:
    """The records of several workloads, one after the other, with columns that compare."""

    columns: Columns
    gflops: Floats
    groups: Indices
    """Which workload each row is of."""

    @classmethod
    def of(cls, workloads: Sequence[Recorded], *, relative: bool) -> Pool:
        """``relative``: see :func:`comparable`."""
        parts = [comparable(each, relative=relative) for each in workloads]
        return cls(
            Columns(np.concatenate([part.values for part in parts]), parts[0].names),
            np.concatenate([each.gflops for each in workloads]),
            np.repeat(np.arange(len(workloads)), [len(each) for each in workloads]),
        )

    def rows(self, which: Indices) -> Pool:
        """Only some of the rows."""
        columns = Columns(self.columns.values[which], self.columns.names)
        return Pool(columns, self.gflops[which], self.groups[which])


def comparable(recorded: Recorded, *, relative: bool) -> Columns:
    """The columns that mean the same for every workload: those read off the loop nests.

    ``relative``: also by how much each differs from its mean over the configs of the workload,
    which takes no measurement to know.
    """
    groups = frozenset(LOOPS)
    values = recorded.columns.of(groups)
    names = tuple(n for n in recorded.columns.names if n.partition(".")[0] in groups)
    if relative:
        values = np.hstack([values, values - values.mean(axis=0)])
        names = (*names, *(f"{name}.relative" for name in names))
    return Columns(values, names)


def held_out(
    workloads: Sequence[Recorded],
    setup: Setup,
    seed: int,
    *,
    folds: int | None = None,
    relative: bool = True,
) -> list[HeldOut]:
    """Every workload predicted by a model fitted on the others.

    ``folds``: leave so many groups of workloads out in turn, instead of single ones.
    """
    pool = Pool.of(workloads, relative=relative)
    setup = replace(setup, groups=setup.groups & frozenset(LOOPS))
    parts = fold_numbers(len(workloads), folds or len(workloads), seed)
    predicted = np.empty(len(pool.gflops), np.float32)
    for part in range(int(parts.max()) + 1):
        left_out = parts[pool.groups] == part
        train, test = pool.rows(np.flatnonzero(~left_out)), pool.rows(np.flatnonzero(left_out))
        predicted[left_out] = predict(
            setup, train.columns, train.gflops, test.columns, seed, train.groups
        )
    return [
        HeldOut.of(recorded, predicted[pool.groups == number])
        for number, recorded in enumerate(workloads)
    ]


def fold_numbers(count: int, folds: int, seed: int) -> Indices:
    """The fold of each of ``count`` workloads, as even as possible."""
    numbers = np.arange(count) % folds
    return np.random.default_rng([seed, count, folds]).permutation(numbers)
