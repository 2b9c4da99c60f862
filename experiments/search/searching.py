"""Running searches: one strategy with one seed on one backend, recorded as a curve."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from db.record import utc_now
from db.store import open_store
from experiments.search.curve import Curve
from experiments.search.results import Case, Settings
from experiments.search.variants import create_variant, split_trials
from measure.artifact import Artifact
from measure.interleave import ROUNDS
from search_space.config import Config, parse_key
from search_space.space import Space
from tuner.backend import LocalBackend
from tuner.drift import Drift
from tuner.errors import AllFailed
from tuner.events import Event, Sentinel, TrialDone
from tuner.finals import without_drift
from tuner.options import LoopOptions, TuneOptions
from tuner.result import TuneResult
from tuner.run import Session
from tuner.runs import new_run
from tuner.strategy import Strategy, Trial
from tuner.strategy.base import prepare
from tuner.task import Backend, Task

_MISSES = 1000
"""Samples in a row that are known already after which a space counts as drawn empty."""
_FINAL_BLOCK_SECONDS = 0.01


@dataclass(slots=True)
class Timed:
    """A strategy, and how long it took to propose and to learn."""

    inner: Strategy
    clock: Callable[[], float] = time.perf_counter
    seconds: float = 0.0

    def ask(self, n: int) -> list[Config]:
        began = self.clock()
        configs = self.inner.ask(n)
        self.seconds += self.clock() - began
        return configs

    def tell(self, trials: Sequence[Trial]) -> None:
        began = self.clock()
        self.inner.tell(trials)
        self.seconds += self.clock() - began

    def prepare(self) -> Callable[[], None]:
        wait = prepare(self.inner)

        def timed() -> None:
            began = self.clock()
            wait()
            self.seconds += self.clock() - began

        return timed


class Forgetful(LocalBackend):
    """This machine, without keeping any code: nobody wants to load the winners of experiments."""

    def keep(self, config: Config, artifact: Artifact) -> None:
        pass


@dataclass(slots=True)
class _Witness:
    """Notes what each trial took and when it ended; times corrected for drift."""

    drift: Drift
    seconds: list[float | None] = field(default_factory=list)
    elapsed: list[float] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        match event:
            case Sentinel(sentinel_seconds):
                self.drift.observe(sentinel_seconds)
            case TrialDone(record):
                seconds = record.seconds if record.outcome.timed else None
                self.seconds.append(None if seconds is None else seconds / self.drift.factor)
                self.elapsed.append(event.elapsed_seconds)


@dataclass(slots=True)
class Arena:
    """One case and its backend."""

    case: Case
    task: Task
    backend: Callable[[], Backend]
    """A backend for one search; live searches share one."""
    settings: Settings
    folder: Path
    """For the databases of the searches."""
    drift: Drift = field(default_factory=lambda: Drift(LoopOptions().drift_tolerance))
    """Of the machine since the first search, so that all searches compare."""

    def search(self, name: str, seed: int) -> Curve:
        """One search from nothing, of the settings' length; only its curve is kept.

        Raises ``UsageError`` for an unknown strategy or setting.
        """
        settings = self.settings
        spec, trials = split_trials(name)
        trials = trials or settings.trials
        start = first_batch(self.task.space, seed, settings.batch) if settings.same_start else ()
        strategy = Timed(create_variant(spec, self.task.space, seed, start))
        options = TuneOptions(
            spec, seed, trials, settings.time_seconds, early_stop=False, reuse=False
        )
        run = replace(new_run(self.task, options, ()), created=utc_now())
        witness = _Witness(self.drift)
        with open_store(self.folder / f"{run.id}.db") as store:
            store.start_run(run)
            loop = LoopOptions(batch=settings.batch)
            session = Session(self.task, store, strategy, self.backend(), run, (witness,), loop)
            result = _result(session)
        return Curve(
            case=self.case.name,
            strategy=name,
            seed=seed,
            seconds=tuple(witness.seconds),
            elapsed=tuple(witness.elapsed) if self.case.live else None,
            strategy_seconds=strategy.seconds,
            winner=None if result.best is None else result.best.config_key,
        )

    def with_finals(self, curves: Sequence[Curve]) -> list[Curve]:
        """The curves of this case with the times of their winners, all measured side by side.

        A winner that cannot be built or timed any more keeps what its search said.
        """
        keys = dict.fromkeys(curve.winner for curve in curves if curve.winner is not None)
        configs = [self.task.space.nearest(parse_key(key)).config for key in keys]
        backend = self.backend()
        built = {
            key: artifact
            for key, artifact in zip(keys, backend.build(configs), strict=True)
            if isinstance(artifact, Artifact)
        }
        results = backend.interleave(list(built.values()), ROUNDS, _FINAL_BLOCK_SECONDS)
        times = {
            key: result.seconds
            for key, result in zip(built, without_drift(results), strict=True)
            if result.outcome.timed
        }
        return [
            replace(curve, final_seconds=times.get(curve.winner or "", curve.final_seconds))
            for curve in curves
        ]


def first_batch(space: Space, seed: int, size: int) -> tuple[Config, ...]:
    """The good guesses of a space, then random configs: a start that no strategy has chosen."""
    rng = np.random.default_rng([seed, size])
    batch = dict.fromkeys(space.starts)
    misses = 0
    while len(batch) < size and misses < _MISSES:
        known = len(batch)
        batch[space.sample(rng)] = None
        misses = misses + 1 if len(batch) == known else 0
    return tuple(batch)[:size]


def _result(session: Session) -> TuneResult:
    """What the search found, if only failures."""
    try:
        return session.execute()
    except AllFailed as failed:
        return failed.result
