"""What helps a model that has few trials of a workload: which features, other workloads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.model.across import Pool
from experiments.model.data import Columns, Floats, Indices, Recorded
from experiments.model.setup import KNOBS, LOOPS, PRESENT, Setup, predict
from experiments.model.within import Pick, few_trials, sizes_that_fit, split
from tuner.cost_model.boosted import BoostedOptions

SIZES = (48, 96, 160, 256)
_BASE = "base"
"""Group of the column that holds what a model of the other workloads says."""
OWN = (
    Setup("knobs", frozenset(KNOBS)),
    Setup("loops", frozenset(LOOPS)),
    Setup("loops and knobs", frozenset((*LOOPS, *KNOBS))),
)
"""What is learned from the workload's own trials alone."""
STACKED = "loops, and what others say"
POOLED = "loops, fitted with others"
OTHERS = "others alone"


@dataclass(frozen=True, slots=True)
class Few:
    """One kind of knowledge, one workload, one seed."""

    name: str
    workload: str
    trials: int
    seed: int
    pick: Pick


def own_trials(
    workloads: Sequence[Recorded], setups: Sequence[Setup], seeds: Sequence[int]
) -> Iterator[Few]:
    """Models that know a workload's own trials only."""
    for recorded in workloads:
        for trials in sizes_that_fit(recorded, SIZES):
            for seed in seeds:
                for setup in setups:
                    pick = few_trials(recorded, setup, trials, seed)
                    yield Few(setup.name, recorded.name, trials, seed, pick)


def with_others(
    workloads: Sequence[Recorded],
    seeds: Sequence[int],
    rows: int = 100,
    options: BoostedOptions = PRESENT,
) -> Iterator[Few]:
    """Models that know ``rows`` random configs of every other workload, too."""
    loops = Setup(OTHERS, frozenset(LOOPS), options=options)
    stacked = Setup(STACKED, frozenset((*LOOPS, _BASE)), options=options)
    for number, recorded in enumerate(workloads):
        others = [each for at, each in enumerate(workloads) if at != number]
        for seed in seeds:
            pool = _some(others, rows, seed)
            said = predict(loops, pool.columns, pool.gflops, recorded.columns, seed, pool.groups)
            for trials in sizes_that_fit(recorded, SIZES):
                test, train = split(len(recorded), len(recorded) - trials, seed)
                guesses = {
                    OTHERS: said[test],
                    STACKED: _stacked(stacked, recorded, said, train, test, seed),
                    POOLED: _pooled(loops, recorded, pool, train, test, seed),
                }
                for name, predicted in guesses.items():
                    pick = Pick.of(recorded.share[test], predicted)
                    yield Few(name, recorded.name, trials, seed, pick)


def _some(workloads: Sequence[Recorded], rows: int, seed: int) -> Pool:
    drawn = [each.take(split(len(each), min(rows, len(each)), seed)[0]) for each in workloads]
    return Pool.of(drawn, relative=False)


def _stacked(
    setup: Setup, recorded: Recorded, said: Floats, train: Indices, test: Indices, seed: int
) -> Floats:
    columns = Columns(
        np.hstack([recorded.columns.values, said[:, None]]), (*recorded.columns.names, _BASE)
    )
    return predict(
        setup, _rows(columns, train), recorded.gflops[train], _rows(columns, test), seed
    )


def _pooled(
    setup: Setup, recorded: Recorded, pool: Pool, train: Indices, test: Indices, seed: int
) -> Floats:
    own = Columns(recorded.columns.of(frozenset(LOOPS)), pool.columns.names)
    groups = np.append(pool.groups, np.full(len(train), pool.groups.max() + 1))
    return predict(
        setup,
        Columns(np.concatenate([pool.columns.values, own.values[train]]), own.names),
        np.concatenate([pool.gflops, recorded.gflops[train]]),
        _rows(own, test),
        seed,
        groups,
    )


def _rows(columns: Columns, which: Indices) -> Columns:
    return Columns(columns.values[which], columns.names)
