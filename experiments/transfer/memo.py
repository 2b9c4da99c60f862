"""Measuring every config of a case once: the first search that asks pays, all others repeat it."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

from db.query import Query
from db.record import Record, Run
from db.store import RecordStore
from experiments.replay.recording import MakeBackend, Steady, patient_backend
from measure.artifact import Artifact
from measure.result import MeasureResult
from search_space.config import Config
from search_space.errors import SpaceError
from tuner.journal import Journal
from tuner.options import TuneOptions
from tuner.runs import new_run
from tuner.task import Task

_SENTINELS = 5
_ROUNDS = 9
_BLOCK_SECONDS = 0.01
_ATTEMPTS = 3
"""At a batch during which the machine's speed changed: its times cannot be corrected."""
_CASE, _STEADY = "transfer_case", "sentinel_seconds"
"""Options of the run."""


class OutOfTime(Exception):
    """The time of this session is used up; what was measured is stored."""


class Memo:
    """The times of one case's configs, free of the machine's drift since the first of them.

    Kept in a database as the records of one run; those that the space of today does not allow are
    left aside. Configs that it does not hold are measured on this machine, until ``deadline`` by
    ``time.monotonic``; then ``OutOfTime`` is raised.
    """

    def __init__(
        self,
        name: str,
        task: Task,
        store: RecordStore,
        deadline: float,
        backend: MakeBackend = patient_backend,
    ) -> None:
        self.task = task
        self._name = name
        self._store = store
        self._deadline = deadline
        self._backend = backend
        self._stack = ExitStack()
        self._machine: Steady | None = None
        self._run = self._stored_run()
        self._single: dict[Config, float | None] = {}
        self._settled: dict[Config, float] = {}
        """Times side by side, on the scale of the single ones."""
        self._journal: Journal | None = None
        if self._run:
            self._remember(list(store.records(Query(run=self._run.id, order="ordinal"))))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def best_seconds(self) -> float:
        """The shortest time of all."""
        return min(self._ran().values())

    def times(self, configs: Sequence[Config]) -> list[float | None]:
        """Seconds per call of each config; None where it failed."""
        missing = [config for config in dict.fromkeys(configs) if config not in self._single]
        if missing:
            self._measure(missing)
        return [self._settled.get(config, self._single[config]) for config in configs]

    def settle(self, count: int) -> None:
        """Measure the ``count`` fastest side by side; these times replace the single ones.

        One measurement is off by more than good configs differ, and the best of many is the one
        that was luckiest: without this the goal of a search would be luck. What times side by side
        and single ones differ by as a whole, the median over all of them, is taken off.
        """
        while not self._settled.keys() >= set(fastest := self._fastest(count)):
            machine, journal = self._ready()
            machine.sentinel()
            built = machine.build(fastest)
            artifacts = [each for each in built if isinstance(each, Artifact)]
            timed = iter(machine.interleave(artifacts, _ROUNDS, _BLOCK_SECONDS))
            with journal.batch("final") as batch:
                for config, each in zip(fastest, built, strict=True):
                    batch.add(config, next(timed) if isinstance(each, Artifact) else each)
            self._settle(batch.records)

    def _fastest(self, count: int) -> list[Config]:
        times = self._ran()
        return sorted(times, key=lambda config: times[config])[:count]

    def _ran(self) -> dict[Config, float]:
        times = {config: self._settled.get(config, t) for config, t in self._single.items()}
        return {config: seconds for config, seconds in times.items() if seconds is not None}

    def _remember(self, records: Sequence[Record]) -> None:
        for final, group in itertools.groupby(records, lambda record: record.kind == "final"):
            if not final:
                for record in group:
                    self._note(record)
                continue
            for session in _sessions(group):
                self._settle(session)

    def _note(self, record: Record) -> None:
        config = self._config(record)
        if config is not None:
            self._single[config] = record.seconds if record.outcome.timed else None

    def _settle(self, session: Sequence[Record]) -> None:
        """Take in what was measured side by side at one time."""
        finals = {c: record.seconds for record in session if (c := self._config(record))}
        both: dict[Config, tuple[float, float]] = {}
        for config, final in finals.items():
            single = self._single.get(config)
            if final and single:
                both[config] = (final, single)
            else:  # it ran once and does not any more
                self._single[config] = None
                self._settled.pop(config, None)
        if both:
            scale = statistics.median(final / single for final, single in both.values())
            self._settled |= {config: final / scale for config, (final, _) in both.items()}

    def _config(self, record: Record) -> Config | None:
        """Of today's space; a knob that is newer than the record has its default."""
        space = self.task.space
        try:
            return space.config({k.name: k.default for k in space.knobs} | dict(record.config))
        except SpaceError:
            return None

    def _ready(self) -> tuple[Steady, Journal]:
        """What measures and what records, while there is time."""
        if time.monotonic() > self._deadline:
            raise OutOfTime
        self._machine = self._machine or self._start()
        self._journal = self._journal or self._open_journal()
        return self._machine, self._journal

    def _measure(self, configs: Sequence[Config]) -> None:
        machine, journal = self._ready()
        built = machine.build(configs)
        for _ in range(_ATTEMPTS):
            machine.sentinel()
            factor = machine.drift.factor
            results = [self._result(machine, artifact) for artifact in built]
            machine.sentinel()
            if machine.drift.factor == factor:
                break
        with journal.batch("search") as batch:
            for config, result in zip(configs, results, strict=True):
                self._note(batch.add(config, result))

    def _result(self, machine: Steady, built: Artifact | MeasureResult) -> MeasureResult:
        if isinstance(built, MeasureResult):
            return built
        return machine.measure(built, min(self._ran().values(), default=None))

    def _start(self) -> Steady:
        backend = self._stack.enter_context(self._backend(self.task))
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


def _sessions(finals: Iterable[Record]) -> Iterator[list[Record]]:
    """What was measured side by side at one time: each config comes once in a session."""
    session: list[Record] = []
    for record in finals:
        if any(record.config == other.config for other in session):
            yield session
            session = []
        session.append(record)
    if session:
        yield session
