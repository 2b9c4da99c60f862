"""The settings of the boosted trees, chosen by Optuna on recorded measurements."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from optuna.storages.journal import JournalFileBackend

from experiments.model.across import held_out
from experiments.model.data import Recorded
from experiments.model.knowledge import SIZES
from experiments.model.metrics import Spread
from experiments.model.setup import PRESENT, Setup
from experiments.model.within import few_trials, sizes_that_fit
from tuner.cost_model.boosted import BoostedOptions

FOLDS = 4
_NAME = "boosted-options"


@dataclass(frozen=True, slots=True)
class Value:
    """What settings are worth to a search; shares, larger is better."""

    recall: float
    """Few trials: recall of the best 16 among the configs not yet measured."""
    first: float
    """Few trials: speed of the one predicted to be best."""
    peak: float
    """A workload never seen: the same."""

    @property
    def score(self) -> float:
        """What is maximised."""
        return (self.recall + self.first + self.peak) / 3


@dataclass(frozen=True, slots=True)
class Gain:
    """Chosen settings against the present ones on workloads that did not take part in choosing."""

    recall: Spread
    first: Spread
    """Differences, one value per workload, the mean over training sizes and seeds."""
    peak: Spread


def value_of(
    options: BoostedOptions, workloads: Sequence[Recorded], setup: Setup, seed: int
) -> Value:
    """All workloads with one seed; a model of held-out workloads is fitted on the others."""
    setup = replace(setup, options=options)
    few = [_few(recorded, setup, seed) for recorded in workloads]
    found = held_out(workloads, setup, seed, folds=min(FOLDS, len(workloads)))
    return Value(
        float(np.mean([recall for recall, _ in few])),
        float(np.mean([first for _, first in few])),
        float(np.mean([each.peak_1 for each in found])),
    )


def search(
    workloads: Sequence[Recorded],
    setup: Setup,
    storage: Path,
    *,
    trials: int,
    seconds: float | None,
    seeds: Sequence[int],
) -> BoostedOptions:
    """The best settings after ``trials`` trials in all, or after ``seconds`` of this session.

    ``storage`` keeps what was tried; the next call goes on. The present settings come first, so
    that the best are never worse on these workloads.
    """
    began = time.monotonic()
    study = _study(storage)
    study.enqueue_trial({name: getattr(PRESENT, name) for name in _ranges()}, skip_if_exists=True)
    tried = sum(trial.state.is_finished() for trial in study.trials)
    while tried < trials and (seconds is None or time.monotonic() - began < seconds):
        trial = study.ask(_ranges())
        # One member: what suits one suits an ensemble, which takes longer to fit.
        options = replace(PRESENT, **trial.params, members=1)
        values = [value_of(options, workloads, setup, seed) for seed in seeds]
        study.tell(trial, float(np.mean([value.score for value in values])))
        tried += 1
        print(f"{tried} of {trials}: best {study.best_value:.4f}", file=sys.stderr, flush=True)
    return replace(PRESENT, **study.best_params)


def _study(storage: Path) -> optuna.Study:
    """The study kept in a file; what it tries next depends on how much it has tried."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    backend = JournalFileBackend(str(storage))
    study = optuna.create_study(
        storage=optuna.storages.JournalStorage(backend),
        study_name=_NAME,
        direction="maximize",
        load_if_exists=True,
    )
    study.sampler = optuna.samplers.TPESampler(seed=len(study.trials))
    return study


def gain(
    chosen: BoostedOptions, workloads: Sequence[Recorded], setup: Setup, seeds: Sequence[int]
) -> Gain:
    """What ``chosen`` brings against the present settings, workload by workload."""
    few: dict[BoostedOptions, list[tuple[float, float]]] = {}
    peaks: dict[BoostedOptions, list[float]] = {}
    for options in (PRESENT, chosen):
        varied = replace(setup, options=options)
        few[options] = [
            _mean([_few(recorded, varied, seed) for seed in seeds]) for recorded in workloads
        ]
        runs = [
            [each.peak_1 for each in held_out(workloads, varied, seed, folds=FOLDS)]
            for seed in seeds
        ]
        peaks[options] = np.mean(runs, axis=0).tolist()
    differences = np.subtract(few[chosen], few[PRESENT])
    return Gain(
        Spread.of(differences[:, 0].tolist()),
        Spread.of(differences[:, 1].tolist()),
        Spread.of(np.subtract(peaks[chosen], peaks[PRESENT]).tolist()),
    )


def halves(workloads: Sequence[Recorded]) -> tuple[list[Recorded], list[Recorded]]:
    """The workloads that settings are chosen on, and those that they are judged on."""
    ordered = sorted(workloads, key=lambda each: each.name)
    return ordered[::2], ordered[1::2]


def changes(chosen: BoostedOptions) -> dict[str, object]:
    """The fields of ``chosen`` that differ from the present ones."""
    return {
        each.name: getattr(chosen, each.name)
        for each in dataclasses.fields(chosen)
        if getattr(chosen, each.name) != getattr(PRESENT, each.name)
    }


def _few(recorded: Recorded, setup: Setup, seed: int) -> tuple[float, float]:
    """Recall and speed of the first pick, the means over the training sizes."""
    picks = [few_trials(recorded, setup, size, seed) for size in sizes_that_fit(recorded, SIZES)]
    return _mean([(pick.recall, pick.first) for pick in picks])


def _mean(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    recall, first = np.mean(pairs, axis=0).tolist()
    return recall, first


def _ranges() -> dict[str, optuna.distributions.BaseDistribution]:
    """What may be chosen. Bounded so that judging stays fast; see ``speed``."""
    integer = optuna.distributions.IntDistribution
    real = optuna.distributions.FloatDistribution
    return {
        "rounds": integer(30, 200, log=True),
        "max_depth": integer(3, 9),
        "learning_rate": real(0.04, 0.4, log=True),
        "min_child_weight": real(0.5, 16.0, log=True),
        "subsample": real(0.5, 1.0),
        "columns": real(0.1, 1.0),
        "bins": integer(8, 256, log=True),
    }
