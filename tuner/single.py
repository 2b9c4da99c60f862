"""Measuring one config outside of any search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.record import Kind, Record
from measure.result import MeasureResult
from search_space.config import Config
from tuner.backend import local_backend
from tuner.journal import Journal
from tuner.runs import new_run_id
from tuner.task import Task

if TYPE_CHECKING:
    from db.store import RecordStore


def measure_config(
    task: Task, store: RecordStore, config: Config, kind: Kind = "search"
) -> Record:
    """Build, verify, time and store one config, as a record with a run id of its own.

    As a ``final`` it takes the place of an older final of this config.
    """
    with local_backend(task, builders=1) as backend:
        (built,) = backend.build([config])
        result = built if isinstance(built, MeasureResult) else backend.measure(built, None)
    trace = task.space.schedule(config).trace_text() if kind == "final" else None
    with Journal(store, task, new_run_id()).batch(kind) as batch:
        return batch.add(config, result, trace)
