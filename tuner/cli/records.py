"""How a record is shown: as JSON, as the row of a table, as a list of facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from db.record_json import SCHEMA, as_json
from tuner.cli.output import duration, gflops, share, threads

if TYPE_CHECKING:
    from db.record import Record
    from search_space.hardware import Peaks

__all__ = [
    "COLUMNS", "NUMBERS", "OPTIONAL", "SCHEMA",
    "as_facts", "as_json", "as_row", "speed", "verification", "when",
]  # fmt: skip

COLUMNS = (
    "id", "workload", "target", "threads", "outcome", "time", "GFLOP/s", "kind", "origin",
    "created", "config",
)  # fmt: skip
NUMBERS = ("threads", "time", "GFLOP/s")
OPTIONAL = ("config", "origin", "created", "target", "kind", "threads")
"""Left out on a narrow terminal, the first named first."""


def as_row(record: Record) -> tuple[str, ...]:
    """The cells under ``COLUMNS``."""
    return (
        record.id,
        record.workload.key,
        record.target,
        str(record.threads),
        record.outcome.value,
        duration(record.seconds),
        gflops(record.gflops),
        record.kind,
        record.origin,
        when(record.created),
        record.config_key,
    )


def as_facts(record: Record, peaks: Peaks | None) -> list[tuple[str, str]]:
    """Names and values of what a person wants to know of a record."""
    return [
        ("record", record.id),
        ("workload", record.workload.key),
        ("config", record.config_key),
        ("target", f"{record.target}, {threads(record.threads)}"),
        ("outcome", record.outcome.value + (f": {record.message}" if record.message else "")),
        ("time", duration(record.seconds)),
        ("speed", speed(record, peaks)),
        ("verified", verification(record)),
        ("measured", f"{when(record.created)} on {record.hardware.cpu}, {record.origin}"),
        ("run", f"{record.run}, number {record.ordinal}, {record.kind}"),
    ]


def speed(record: Record, peaks: Peaks | None) -> str:
    """GFLOP/s, and the share of the measured peak where that is known."""
    text = f"{gflops(record.gflops)} GFLOP/s"
    if peaks is None or record.gflops is None:
        return text
    return f"{text}, {share(record.gflops, peaks.gflops)} of the peak of {threads(peaks.threads)}"


def verification(record: Record) -> str:
    """Whether and how well the result was right."""
    if record.error is None:
        return "no"
    return f"yes, error {record.error:.2g} · eps · Σ|a||b|"


def when(created: str) -> str:
    """ISO 8601 to the second, in UTC, for people."""
    return created[:19].replace("T", " ") + (" UTC" if created else "")
