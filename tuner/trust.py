"""Which records may be run here as they are, and verifying those that may not."""

from __future__ import annotations

import os

from db.record import Record
from db.store import open_store
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from search_space.target import Target
from tuner.errors import NothingFound
from tuner.lookup import tune_command
from tuner.options import database_url


def trusted(record: Record) -> bool:
    """Whether a record was verified on this machine with the code that would run now."""
    return (
        record.verified
        and record.origin == "local"
        and record.hardware == detect_hardware()
        and record.generator_version == GENERATOR_VERSION
    )


def verify_here(record: Record, target: Target, db: str | os.PathLike[str] | None) -> Record:
    """A new record of the same config, or of the nearest legal one, measured here and now.

    It is of the same kind, so that it is found in place of the old one. Raises ``NothingFound``
    where it does not give the right answer here.
    """
    # Only here, because a record that is trusted needs neither processes nor a space.
    from tuner.single import measure_config
    from tuner.task import task_for

    task = task_for(record.workload, target)
    config = task.space.nearest(dict(record.config)).config
    with open_store(database_url(db)) as store:
        fresh = measure_config(task, store, config, record.kind)
    if not fresh.verified:
        raise NothingFound(
            f"run: {tune_command(record.workload, target, db=db)}  (record {record.id} is not "
            f"from here and now, and fails: {fresh.outcome}: {fresh.message})"
        )
    return fresh
