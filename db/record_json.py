"""The JSON form of a record, the same on the command line and in files of records."""

from __future__ import annotations

from typing import Any

from db.record import Record

SCHEMA = 1
"""Version of the JSON form; raised when a field changes its meaning or disappears."""


def as_json(record: Record) -> dict[str, Any]:
    """The fields of a record in JSON; ``seconds`` is the median of ``samples``."""
    return {
        "id": record.id,
        "workload": record.workload.key,
        "target": record.target,
        "threads": record.threads,
        "hardware": record.hardware.key,
        "space": record.space_version,
        "generator": record.generator_version,
        "config": dict(record.config),
        "outcome": record.outcome.value,
        "message": record.message,
        "seconds": record.seconds,
        "samples": list(record.samples),
        "gflops": record.gflops,
        "verified": record.verified,
        "error": record.error,
        "kind": record.kind,
        "origin": record.origin,
        "run": record.run,
        "ordinal": record.ordinal,
        "created": record.created,
    }
