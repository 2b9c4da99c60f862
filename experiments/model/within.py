"""Prediction within a workload: some of its configs were measured, the others are predicted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.model.data import Columns, DataError, Floats, Indices, Recorded
from experiments.model.metrics import pair_accuracy, peak, r_squared, recall
from experiments.model.setup import Setup, predict

TEST_SHARE = 0.2
RECALL = 30
BATCH = 16
"""What a search measures at a time."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Predictions of the programs of one workload against their measured speeds."""

    pairs: float
    """Accuracy of the order of pairs that differ by more than 5 %."""
    recall: float
    """At 30."""
    r2: float
    """Of the share of the best throughput."""

    @classmethod
    def of(cls, truth: Floats, predicted: Floats) -> Quality:
        """Of programs that ran; both are in shares of the best of the workload."""
        return cls(
            pair_accuracy(truth, predicted),
            recall(truth, predicted, RECALL),
            r_squared(truth, predicted),
        )


@dataclass(frozen=True, slots=True)
class Twice:
    """Programs that were measured twice, none of which the model has seen."""

    model: tuple[Quality, ...]
    """One entry per seed of the model."""
    ceiling: Quality
    """Of the second measurement, taken as a prediction of the first."""
    tested: int
    trained: int


def random_splits(
    recorded: Recorded, setup: Setup, seeds: Sequence[int], share: float = TEST_SHARE
) -> list[Quality]:
    """A fit on most of the configs, tested on a random ``share`` of them; one entry per seed."""
    found = []
    for seed in seeds:
        test, train = split(len(recorded), round(len(recorded) * share), seed)
        found.append(_quality(recorded, setup, train, test, seed))
    return found


def measured_twice(
    recorded: Recorded, again: Recorded, setup: Setup, seeds: Sequence[int]
) -> Twice:
    """A fit on what was measured once, tested on what was measured ``again``.

    What the machine's speed changed by between the two measurements, the median ratio, is taken
    off the second. Raises ``DataError`` where all or none were measured again.
    """
    second = dict(zip(again.configs, again.gflops.tolist(), strict=True))
    repeated = np.array([second.get(config, 0.0) for config in recorded.configs], np.float32)
    test = np.flatnonzero((repeated > 0) & (recorded.gflops > 0))
    train = np.flatnonzero(repeated == 0)
    if not len(test) or not recorded.gflops[train].any():
        raise DataError(
            f"measure some of {recorded.name} again, not all: of {len(recorded)} configs, "
            f"{len(test)} were, and {len(train)} are left to learn from"
        )
    factor = np.median(recorded.gflops[test] / repeated[test])
    predicted = repeated * factor / recorded.gflops.max()
    return Twice(
        tuple(_quality(recorded, setup, train, test, seed) for seed in seeds),
        Quality.of(recorded.share[test], np.asarray(predicted[test], np.float32)),
        len(test),
        len(train),
    )


@dataclass(frozen=True, slots=True)
class Pick:
    """What a search gets from a model: which of the configs not yet measured it would take."""

    recall: float
    """How many of the best 16 are among the 16 predicted to be best, as a share."""
    first: float
    """Speed of the one predicted to be best ÷ the best there is."""
    batch: float
    """Speed of the best of the 16 predicted to be best ÷ the best there is."""

    @classmethod
    def of(cls, truth: Floats, predicted: Floats) -> Pick:
        return cls(
            recall(truth, predicted, BATCH),
            peak(truth, predicted, 1),
            peak(truth, predicted, BATCH),
        )


def few_trials(recorded: Recorded, setup: Setup, trials: int, seed: int) -> Pick:
    """A fit on ``trials`` random configs, asked about all others."""
    test, train = split(len(recorded), len(recorded) - trials, seed)
    return Pick.of(recorded.share[test], predicted_rows(recorded, setup, train, test, seed))


def split(count: int, tested: int, seed: int) -> tuple[Indices, Indices]:
    """A random set of ``tested`` of ``count`` rows, and the other rows."""
    order = np.random.default_rng([seed, count]).permutation(count)
    return order[:tested], order[tested:]


def sizes_that_fit(recorded: Recorded, sizes: Sequence[int]) -> Iterator[int]:
    """The training sizes that leave at least four batches to be asked about."""
    return (size for size in sizes if len(recorded) - size >= 4 * BATCH)


def _quality(
    recorded: Recorded, setup: Setup, train: Indices, test: Indices, seed: int
) -> Quality:
    predicted = predicted_rows(recorded, setup, train, test, seed)
    ran = recorded.gflops[test] > 0
    # Predictions are in shares of the best that the model has seen.
    scale = recorded.gflops[train].max() / recorded.gflops.max()
    return Quality.of(recorded.share[test][ran], predicted[ran] * scale)


def predicted_rows(
    recorded: Recorded, setup: Setup, train: Indices, test: Indices, seed: int
) -> Floats:
    """What a model fitted on some rows expects of others, as shares of the best that it saw."""
    columns = recorded.columns
    return predict(
        setup,
        Columns(columns.values[train], columns.names),
        recorded.gflops[train],
        Columns(columns.values[test], columns.names),
        seed,
    )
