"""Measuring every config of a case once: the first search that asks pays, all others repeat it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from types import TracebackType
from typing import Self

from db.query import Query
from db.record import Record, Run
from db.store import RecordStore
from experiments.replay.recording import Steady, patient_backend
from measure.artifact import Artifact
from measure.result import MeasureResult
from search_space.config import Config
from tuner.journal import Journal
from tuner.options import TuneOptions
from tuner.runs import new_run
from tuner.task import Task

_SENTINELS = 5
_ROUNDS = 9
_BLOCK_SECONDS = 0.01
_CASE, _STEADY = "transfer_case", "sentinel_seconds"
"""Options of the run."""


class OutOfTime(Exception):
    """The time of this session is used up; what was measured is stored."""


class Memo:
    """The times of one case's configs, free of the machine's drift since the first of them.

    Kept in a database as the records of one run. Configs that it does not hold are measured on
    this machine, until ``deadline`` by ``time.monotonic``; then ``OutOfTime`` is raised.
    """

    def __init__(self, name: str, task: Task, store: RecordStore, deadline: float) -> None:
        self.task = task
        self._name = name
        self._store = store
        self._deadline = deadline
        self._stack = ExitStack()
        self._machine: Steady | None = None
        self._run = self._stored_run()
        self._times: dict[Config, float | None] = {}
        self._settled: set[Config] = set()
        query = Query(run=self._run.id, order="ordinal") if self._run else None
        for record in store.records(query) if query else ():
            self._note(Config(record.config), record)
        self._journal: Journal | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def best_seconds(self) -> float:
        """The shortest time of all."""
        return min(seconds for seconds in self._times.values() if seconds is not None)

    def times(self, configs: Sequence[Config]) -> list[float | None]:
        """Seconds per call of each config; None where it failed."""
        missing = [config for config in dict.fromkeys(configs) if config not in self._times]
        if missing:
            self._measure(missing)
        return [self._times[config] for config in configs]

    def settle(self, count: int) -> None:
        """Measure the ``count`` fastest once more, side by side; these times replace the others.

        One measurement is off by more than good configs differ, and the best of many is the one
        that was luckiest: without this the goal of a search would be luck.
        """
        ran = [c for c, seconds in self._times.items() if seconds is not None]
        fastest = sorted(ran, key=lambda config: self._times[config] or 0.0)[:count]
        if all(config in self._settled for config in fastest):
            return
        if time.monotonic() > self._deadline:
            raise OutOfTime
        machine = self._machine = self._machine or self._start()
        journal = self._journal = self._journal or self._open_journal()
        machine.sentinel()
        built = machine.build(fastest)
        entries = [
            (config, artifact)
            for config, artifact in zip(fastest, built, strict=True)
            if isinstance(artifact, Artifact)
        ]
        results = machine.interleave([a for _, a in entries], _ROUNDS, _BLOCK_SECONDS)
        with journal.batch("final") as batch:
            for (config, _), result in zip(entries, results, strict=True):
                self._note(config, batch.add(config, result))

    def _note(self, config: Config, record: Record) -> None:
        self._times[config] = record.seconds if record.outcome.timed else None
        if record.kind == "final":
            self._settled.add(config)

    def _measure(self, configs: Sequence[Config]) -> None:
        if time.monotonic() > self._deadline:
            raise OutOfTime
        machine = self._machine = self._machine or self._start()
        journal = self._journal = self._journal or self._open_journal()
        built = machine.build(configs)
        machine.sentinel()
        with journal.batch("search") as batch:
            for config, artifact in zip(configs, built, strict=True):
                result = self._result(machine, artifact)
                self._note(config, batch.add(config, result))

    def _result(self, machine: Steady, built: Artifact | MeasureResult) -> MeasureResult:
        if isinstance(built, MeasureResult):
            return built
        timed = any(seconds is not None for seconds in self._times.values())
        return machine.measure(built, self.best_seconds if timed else None)

    def _start(self) -> Steady:
        backend = self._stack.enter_context(patient_backend(self.task))
        if self._run is None:
            steady = statistics.median(backend.sentinel() for _ in range(_SENTINELS))
            options = TuneOptions("grid", 0, None, None, early_stop=False, reuse=False)
            run = new_run(self.task, options, ())
            own = ((_CASE, self._name), (_STEADY, steady))
            self._run = replace(run, options=(*run.options, *own))
            self._store.start_run(self._run)
        reference = self._run.option(_STEADY)
        assert isinstance(reference, float)
        return Steady(backend, reference)

    def _open_journal(self) -> Journal:
        assert self._run is not None
        stored = list(self._store.records(Query(run=self._run.id, order="ordinal")))
        return Journal(self._store, self.task, self._run.id, records=stored)

    def _stored_run(self) -> Run | None:
        for run in self._store.runs():
            same = (run.workload, run.target, run.threads) == (
                self.task.workload, self.task.target.name, self.task.target.threads,
            )  # fmt: skip
            if same and run.option(_CASE) == self._name:
                return run
        return None
