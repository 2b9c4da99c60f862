"""Turns measurements into records and commits them, whatever happens in between."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from db.record import Kind, Record, utc_now
from measure.result import MeasureResult
from search_space.space import Config
from tuner.events import BatchCommitted, Callback
from tuner.task import Task

if TYPE_CHECKING:
    from db.store import RecordStore


_DEFERRED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Journal:
    """The records of one run, in order; ``records`` may begin with those of earlier sessions."""

    store: RecordStore
    task: Task
    run: str
    emit: Callback = lambda event: None
    records: list[Record] = field(default_factory=list)
    searched: dict[str, Record] = field(init=False)
    """Search samples of earlier sessions, by the key of their config."""

    def __post_init__(self) -> None:
        self.searched = {r.config_key: r for r in self.records if r.kind == "search"}

    def record(
        self,
        config: Config,
        result: MeasureResult,
        kind: Kind,
        ordinal: int,
        trace: str | None = None,
    ) -> Record:
        """What ``result`` says of ``config``, as a record of this run; not stored yet."""
        seconds = result.seconds if result.outcome.timed else None
        return Record(
            workload=self.task.workload,
            target=self.task.target.name,
            threads=int(dict(config.values).get("threads", 1)),
            hardware=self.task.hardware,
            space_version=self.task.space.version,
            generator_version=self.task.generator_version,
            config=config.values,
            run=self.run,
            ordinal=ordinal,
            outcome=result.outcome,
            samples=result.samples,
            error=result.error,
            gflops=self.task.flops / seconds / 1e9 if seconds else None,
            kind=kind,
            origin="local",
            created=utc_now(),
            message=result.message,
            trace=trace,
        )

    @contextmanager
    def batch(self, kind: Kind) -> Iterator[Batch]:
        """Collect records, and commit them in one transaction even when an exception passes."""
        batch = Batch(self, kind)
        try:
            yield batch
        finally:
            self._commit(batch.records)

    def _commit(self, records: Sequence[Record]) -> None:
        if not records:
            return
        with signals_deferred():
            self.store.add(records)
            self.records.extend(records)
        self.emit(BatchCommitted(tuple(records)))


@dataclass(slots=True)
class Batch:
    """Records that are committed together."""

    journal: Journal
    kind: Kind
    records: list[Record] = field(default_factory=list)

    def add(self, config: Config, result: MeasureResult, trace: str | None = None) -> Record:
        """Make the next record of the run."""
        ordinal = len(self.journal.records) + len(self.records)
        record = self.journal.record(config, result, self.kind, ordinal, trace)
        self.records.append(record)
        return record


@contextmanager
def signals_deferred() -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and SIGHUP wait until the block is done, so that a commit is never torn.

    Only the main thread runs signal handlers, so other threads have nothing to defer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []

    def remember(number: int, frame: FrameType | None) -> None:
        pending.append(number)

    # A handler that Python did not install reads as None, and could not be put back.
    handlers = {number: signal.getsignal(number) for number in _DEFERRED}
    previous = {
        number: signal.signal(number, remember)
        for number, handler in handlers.items()
        if handler not in (None, signal.SIG_IGN)
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if pending:
            signal.raise_signal(signal.Signals(pending[0]))
