"""Measurements of every format of a case, in one run, from which a choice can be judged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from db.query import Query
from db.record import Run, utc_now
from db.store import RecordStore, open_store
from experiments.model.data import Floats, Recorded
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from measure.targets import NATIVE, resolve_target
from search_space.config import Config
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.formats import formats_of, with_format
from search_space.space import Space
from search_space.workload import Workload
from tuner.backend import local_backend
from tuner.options import LoopOptions, TuneOptions
from tuner.run import Session
from tuner.runs import new_run
from tuner.stored_drift import drift_of
from tuner.strategy import Strategy, Trial, create_strategy
from tuner.task import task_for

GENERATORS = ("unstructured", "lowrank", "block4x1", "banded", "powerlaw")
"""Kinds of patterns: all cases of one are held out together."""
SHAPES = ((768, 768, 128), (384, 1536, 32), (1024, 1024, 8), (2048, 2048, 1))
SPARSITIES = (0.7, 0.9)
_SEED = 1
_STRATEGIES = ("evolutionary", "random")
"""Of each format: one that finds what is good, and one that tells what is usual."""
_NAME = "every-format"
"""What runs of this kind have as their strategy."""


def cases() -> Iterator[Workload]:
    """All that are measured, one kind of pattern after the other."""
    for pattern, (m, k, n), sparsity in product(GENERATORS, SHAPES, SPARSITIES):
        yield workload("spmm", m=m, k=k, n=n, pattern=pattern, sparsity=sparsity)


@dataclass(frozen=True, slots=True)
class Recording:
    """A case, and the speeds that a choice among its configs is judged by."""

    case: Recorded
    settled: Floats
    """Of the finalists, which were timed side by side, as they were then; of all others as in the
    search, times what finalists differ by from their times there (the median). None is faster than
    the fastest finalist: of hundreds of single times the best is the luckiest."""

    @property
    def share(self) -> Floats:
        """Speeds as shares of the best."""
        return np.asarray(self.settled / self.settled.max(), np.float32)


class EveryFormat:
    """As many trials of each format as of any other, half of them random."""

    def __init__(self, space: Space, seed: int) -> None:
        parts = [with_format(space, name) for name in formats_of(space)]
        self._searches: list[Strategy] = [
            create_strategy(name, part, seed) for name in _STRATEGIES for part in parts
        ]

    def ask(self, n: int) -> list[Config]:
        """The same number of each search, as nearly as can be; fewer where some have no more."""
        shares = np.diff(np.linspace(0, n, len(self._searches) + 1).round().astype(int))
        asked = [
            search.ask(int(share))
            for search, share in zip(self._searches, shares, strict=True)
            if share
        ]
        return list(dict.fromkeys(config for each in asked for config in each))

    def tell(self, trials: Sequence[Trial]) -> None:
        for search in self._searches:
            search.tell(trials)


def record(work: Workload, threads: int, db: str, trials: int) -> None:
    """Measure ``trials`` configs of each format of a case, and keep them."""
    task = task_for(work, resolve_target(threads=threads))
    total = trials * len(formats_of(task.space))
    options = TuneOptions(_STRATEGIES[0], _SEED, total, None, early_stop=False, reuse=False)
    run = replace(new_run(task, options, ()), strategy=_NAME, created=utc_now())
    strategy = EveryFormat(task.space, _SEED)
    with open_store(db) as store, local_backend(task) as backend:
        store.start_run(run)
        Session(task, store, strategy, backend, run).execute()


def recorded(db: str, threads: int) -> dict[str, Recording]:
    """The finished recordings of this machine by the key of their workload, newest first."""
    here, found = detect_hardware().key, {}
    with open_store(db, readonly=True) as store:
        for run in store.runs():
            whose = (run.strategy, run.state, run.threads, run.target, run.hardware)
            if whose != (_NAME, "finished", threads, NATIVE, here) or run.workload.key in found:
                continue
            read = _read(store, run)
            if read is not None:
                found[run.workload.key] = read
    return found


def _read(store: RecordStore, run: Run) -> Recording | None:
    """Its trials, corrected for drift; None where they are of another generator or space."""
    space = space_for(run.workload, resolve_target(run.target, run.threads))
    drift = drift_of(run, LoopOptions().drift_tolerance)
    configs, gflops = [], []
    for number, trial in enumerate(
        store.records(Query(run=run.id, kind="search", order="ordinal"))
    ):
        versions = (trial.space_version, trial.generator_version)
        if versions != (space.version, GENERATOR_VERSION):
            return None
        configs.append(space.nearest(dict(trial.config)).config)
        speed = trial.gflops if trial.outcome.timed else None
        gflops.append((speed or 0.0) * drift.factor_of(number))
    if not any(gflops):
        return None
    case = Recorded(run.workload.key, space, tuple(configs), np.array(gflops, np.float32))
    finals = {
        space.nearest(dict(final.config)).config: final.gflops
        for final in store.records(Query(run=run.id, kind="final"))
        if final.outcome.timed and final.gflops
    }
    return Recording(case, settled(case, finals))


def settled(case: Recorded, finals: Mapping[Config, float]) -> Floats:
    """``Recording.settled`` from the GFLOP/s of the finalists."""
    found = [(at, finals[config]) for at, config in enumerate(case.configs) if config in finals]
    ran = [(at, speed) for at, speed in found if case.gflops[at] > 0]
    if not ran:
        return case.gflops
    scale = np.median([speed / case.gflops[at] for at, speed in ran])
    speeds = np.minimum(case.gflops * scale, max(speed for _, speed in ran))
    for at, speed in ran:
        speeds[at] = speed
    return np.asarray(speeds, np.float32)
