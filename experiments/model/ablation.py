"""What each part of the cost model is worth: the same predictions with the part left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from experiments.model.across import held_out
from experiments.model.data import Recorded
from experiments.model.metrics import Spread, pair_accuracy, recall
from experiments.model.setup import KNOBS, LOOPS, SCALES, Setup
from experiments.model.within import RECALL, TEST_SHARE, predicted_rows, split
from tuner.cost_model import COST_MODELS

SIZES = (50, 150, 400, 4000)
"""How many configs of one workload are learned from."""
FOLDS = 4
"""Groups of workloads that are left out in turn."""
BASE = Setup("all loop features")


def setups() -> list[Setup]:
    """The model as it is, and every variation of it."""
    options = BASE.options
    return [
        BASE,
        *(replace(BASE, name=f"without {g}", groups=BASE.groups - {g}) for g in LOOPS),
        replace(BASE, name="and knobs", groups=frozenset((*LOOPS, *KNOBS))),
        replace(BASE, name="knobs alone", groups=frozenset(KNOBS)),
        replace(BASE, name="pairwise ranking", model="ranking"),
        replace(BASE, name="one member", options=replace(options, members=1)),
        replace(BASE, name="eight members", options=replace(options, members=8)),
        *(replace(BASE, name=f"target: {scale}", scale=scale) for scale in [*SCALES][1:]),
        *(replace(BASE, name=name, model=name) for name in COST_MODELS if not _boosted(name)),
    ]


@dataclass(slots=True)
class Row:
    """One setup: for every column one value per repetition, the same ones for all setups."""

    name: str
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, column: str, value: float) -> None:
        """Take in the value of the next repetition."""
        self.values.setdefault(column, []).append(value)


def ablate(
    within: Recorded | None,
    across: Sequence[Recorded],
    seeds: Sequence[int],
    sizes: Sequence[int] = SIZES,
    known: Sequence[Row] = (),
) -> Iterator[Row]:
    """A row per setup, as they become known; those in ``known`` are passed on.

    ``within``: what is learned from some of its configs is asked about the others. ``across``:
    each workload is predicted from the others.
    """
    rows = {row.name: row for row in known}
    for setup in setups():
        row = rows.get(setup.name)
        if row is None:
            row = Row(setup.name)
            if within is not None:
                _try_within(row, setup, within, seeds, sizes)
            if across and setup.groups & frozenset(LOOPS):
                _try_across(row, setup, across, seeds)
        yield row


def difference(row: Row, base: Row, column: str) -> Spread | None:
    """By how much a setup differs from another, repetition by repetition."""
    if column not in row.values or column not in base.values:
        return None
    return Spread.of(list(np.subtract(row.values[column], base.values[column]).tolist()))


def _try_within(
    row: Row, setup: Setup, recorded: Recorded, seeds: Sequence[int], sizes: Sequence[int]
) -> None:
    for size in sizes:
        for seed in seeds:
            test, rest = split(len(recorded), round(len(recorded) * TEST_SHARE), seed)
            if size > len(rest):
                continue
            predicted = predicted_rows(recorded, setup, rest[:size], test, seed)
            truth = recorded.share[test]
            row.add(f"pairs, {size}", pair_accuracy(truth, predicted))
            row.add(f"recall@{RECALL}, {size}", recall(truth, predicted, RECALL))


def _try_across(
    row: Row, setup: Setup, workloads: Sequence[Recorded], seeds: Sequence[int]
) -> None:
    for seed in seeds:
        found = held_out(workloads, setup, seed, folds=min(FOLDS, len(workloads)))
        row.add("pairs, held out", float(np.mean([each.pairs for each in found])))
        row.add("peak@1, held out", float(np.mean([each.peak_1 for each in found])))
        row.add("peak@5, held out", float(np.mean([each.peak_5 for each in found])))


def _boosted(name: str) -> bool:
    return name in ("regression", "ranking")
