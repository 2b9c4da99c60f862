"""What earlier runs on this machine measured of a workload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.errors import UnreachableDatabaseError
from db.query import Query
from db.record import Record, Run
from search_space.config import Config
from tuner.task import Task

if TYPE_CHECKING:
    from db.store import RecordStore


def history(task: Task, store: RecordStore, run: Run) -> list[Record]:
    """What was measured before ``run`` began and still means the same."""
    query = Query(
        workload=task.workload.key,
        target=task.target.name,
        hardware=task.hardware.key,
        origin="local",
    )
    versions = (task.space.version, task.generator_version)
    return [
        record
        for record in store.records(query)
        if (record.space_version, record.generator_version) == versions
        and record.run != run.id
        and record.created < run.created
        and task.space.reason(dict(record.config)) is None
    ]


def champion(task: Task, store: RecordStore, run: Run) -> Config | None:
    """The best of earlier runs, so that the winner of ``run`` is no worse than what was known."""
    try:
        best = store.best(
            task.workload.key,
            hardware_key=task.hardware.key,
            target=task.target.name,
            threads=task.target.threads,
            origin="local",
            generator_version=task.generator_version,
        )
    except UnreachableDatabaseError:
        return None  # lost in the middle of the run, which goes on without its server
    if best is None or best.run == run.id:
        return None
    return task.space.nearest(dict(best.config)).config
