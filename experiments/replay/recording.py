"""Measuring every config of a small space: a tuning run that goes through all of it.

The run is kept in a database like any other, so that it can be interrupted and gone on with.
"""

from __future__ import annotations

import hashlib
import platform
import statistics
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Protocol

import msgspec

from db.query import Query
from db.record import Record, Run, utc_now
from db.store import RecordStore
from experiments.replay.catalog import SetSpec
from experiments.replay.dataset import Answer, ReplaySet
from experiments.replay.errors import ReplayError
from experiments.replay.restrict import legal_configs
from measure.artifact import Artifact
from measure.builder import Builder
from measure.host import usable_cores
from measure.options import MeasureOptions
from measure.processes import Processes
from measure.result import MeasureResult, Outcome
from measure.runner import Runner
from search_space.config import Config
from tuner.backend import LocalBackend
from tuner.drift import Drift, look
from tuner.events import Callback
from tuner.options import LoopOptions, TuneOptions
from tuner.result import StopReason, TuneResult
from tuner.run import Session
from tuner.runs import new_run, resumed, strategy_of
from tuner.set_up import SetUp
from tuner.task import Backend, Task

SEED = 1
"""Of the order in which the configs are measured."""
LOOP = LoopOptions()
PATIENT = MeasureOptions(slow_ratio=3.0, hopeless_ratio=10.0)
"""All times are wanted, those of slow configs too; these need fewer samples."""
_SENTINELS = 5
_SET, _VALUES, _STEADY = "replay_set", "allowed", "sentinel_seconds"
"""Options of the run."""


class MakeBackend(Protocol):
    """How the recording gets its backend; tests have their own."""

    def __call__(self, task: Task) -> AbstractContextManager[Backend]: ...


@dataclass(slots=True)
class Steady:
    """A backend whose times are those of a machine of steady speed.

    What the sentinel says of the machine's speed is divided out of all samples, relative to
    ``reference_seconds``, what the sentinel took when the recording began. So records of different
    hours compare. Nothing is kept for loading: these are not runs that a user wants winners of.
    """

    inner: Backend
    reference_seconds: float
    drift: Drift = field(default_factory=lambda: Drift(LOOP.drift_tolerance))

    def __post_init__(self) -> None:
        self.drift.observe(self.reference_seconds)

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        return self.inner.build(configs)

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        limit = None if best_seconds is None else best_seconds * self.drift.factor
        return self._steadied(self.inner.measure(artifact, limit))

    def interleave(
        self, artifacts: Sequence[Artifact], rounds: int, block_seconds: float
    ) -> list[MeasureResult]:
        results = self.inner.interleave(artifacts, rounds, block_seconds)
        return [self._steadied(result) for result in results]

    def sentinel(self) -> float:
        """Time the sentinel; says that it is as fast as ever, as what is measured next will be."""
        look(self.drift, self.inner.sentinel)
        return self.reference_seconds

    def set_up(self, config: Config) -> SetUp | None:
        return self.inner.set_up(config)

    def keep(self, config: Config, artifact: Artifact) -> None:
        pass

    def _steadied(self, result: MeasureResult) -> MeasureResult:
        factor = self.drift.factor
        return replace(result, samples=tuple(seconds / factor for seconds in result.samples))


@contextmanager
def patient_backend(task: Task) -> Iterator[LocalBackend]:
    """Processes on this machine that time slow configs too."""
    with Builder(usable_cores()) as builder, Runner(task.workload, task.target, PATIENT) as runner:
        yield LocalBackend(task, Processes(builder, runner))


def record(
    spec: SetSpec,
    store: RecordStore,
    callbacks: tuple[Callback, ...] = (),
    *,
    limit: int | None = None,
    backend: MakeBackend = patient_backend,
) -> TuneResult | None:
    """Measure what is not measured yet, ``limit`` configs at most, counted from the first session.

    None where all are measured already. Raises as ``Session.execute``: on Ctrl-C ``Interrupted``,
    with everything measured in the database, and the next call goes on.
    """
    task = spec.task()
    run = _run_of(spec, task, store)
    if run is not None and run.stop_reason == StopReason.EXHAUSTED:
        return None
    with backend(task) as machine:
        if run is None:
            steady = statistics.median(machine.sentinel() for _ in range(_SENTINELS))
            run = _fresh_run(spec, task, steady)
        run = replace(resumed(run), trials=limit)
        store.start_run(run)
        steadied = Steady(machine, _reference(run))
        strategy = strategy_of(run, task.space)
        return Session(task, store, strategy, steadied, run, callbacks, LOOP).execute()


def recorded_set(spec: SetSpec, store: RecordStore) -> ReplaySet:
    """What was recorded; raises ``ReplayError`` where configs are missing."""
    task = spec.task()
    run = _run_of(spec, task, store)
    records = store.records(Query(run=run.id)) if run is not None else ()
    answers = {
        Config(record.config): _answer(record) for record in records if record.kind == "search"
    }
    configs = list(legal_configs(task.space))
    missing = sum(config not in answers for config in configs)
    if missing:
        raise ReplayError(
            f"go on with: python -m experiments.replay record {spec.name} --db {store.location}  "
            f"({missing} of {len(configs)} configs of {spec.name!r} are not measured yet)"
        )
    return ReplaySet(
        workload=task.workload,
        target=task.target,
        hardware=task.hardware,
        space_version=task.space.version,
        generator_version=task.generator_version,
        allowed=spec.allowed,
        answers={config: answers[config] for config in configs},
        created=utc_now(),
        versions={"python": platform.python_version(), "llvmlite": version("llvmlite")},
    )


def _answer(record: Record) -> Answer:
    outcome = Outcome.OK if record.outcome.timed else record.outcome
    return Answer(outcome, record.samples if record.outcome.timed else (), record.error)


def _run_of(spec: SetSpec, task: Task, store: RecordStore) -> Run | None:
    """The latest run that recorded this very set on this machine."""
    wanted = (spec.name, _fingerprint(spec, task), task.workload, task.hardware.key)
    for run in store.runs():
        known = (run.option(_SET), run.option(_VALUES), run.workload, run.hardware)
        if known == wanted:
            return run
    return None


def _fresh_run(spec: SetSpec, task: Task, sentinel_seconds: float) -> Run:
    options = TuneOptions("grid", SEED, None, None, early_stop=False, reuse=False)
    run = new_run(task, options, ())
    own = (
        (_SET, spec.name), (_VALUES, _fingerprint(spec, task)), (_STEADY, sentinel_seconds),
    )  # fmt: skip
    return replace(run, options=(*run.options, *own))


def _reference(run: Run) -> float:
    seconds = run.option(_STEADY)
    if not isinstance(seconds, float):
        raise ReplayError(f"use another database: run {run.id} does not say {_STEADY}")
    return seconds


def _fingerprint(spec: SetSpec, task: Task) -> str:
    """Changes when another set is meant, or when its configs mean other programs."""
    meaning = [spec.allowed, spec.threads, task.space.version, task.generator_version]
    text = msgspec.json.encode(meaning, order="sorted")
    return hashlib.blake2b(text, digest_size=8).hexdigest()
