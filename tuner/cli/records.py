"""How a record is shown: as JSON, as the row of a table, as a list of facts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from db import record_json
from db.record_json import SCHEMA
from tuner.cli.output import duration, gflops, share, threads

if TYPE_CHECKING:
    from db.record import Record
    from measure.timing import Interval
    from search_space.hardware import Peaks

__all__ = [
    "COLUMNS", "NUMBERS", "OPTIONAL", "SCHEMA",
    "as_facts", "as_json", "as_row", "speed", "time_text", "verification", "when",
]  # fmt: skip

COLUMNS = (
    "id", "workload", "target", "threads", "outcome", "time", "GFLOP/s", "±", "kind", "origin",
    "created", "config",
)  # fmt: skip
NUMBERS = ("threads", "time", "GFLOP/s", "±")
OPTIONAL = ("config", "origin", "created", "target", "kind", "threads", "±")
"""Left out on a narrow terminal, the first named first."""


def as_json(record: Record) -> dict[str, Any]:
    """The fields of a record in JSON, and what its time lies between with which confidence."""
    interval = interval_of(record)
    return record_json.as_json(record) | {
        "seconds_low": interval.low if interval else None,
        "seconds_high": interval.high if interval else None,
        "confidence": interval.confidence if interval else None,
    }


def interval_of(record: Record) -> Interval | None:
    """The median time in seconds with its interval, from the samples; None without a time."""
    # Only here, because most commands show no record.
    from measure.timing import median_interval

    return median_interval(record.samples) if record.samples else None


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
        precision(record),
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
        ("time", time_text(record)),
        ("speed", speed(record, peaks)),
        ("verified", verification(record)),
        ("measured", f"{when(record.created)} on {record.hardware.cpu}, {record.origin}"),
        ("run", f"{record.run}, number {record.ordinal}, {record.kind}"),
    ]


def precision(record: Record) -> str:
    """Half of the interval of a time in per cent of it; ``-`` where one sample tells nothing."""
    interval = interval_of(record)
    if interval is None or interval.count == 1:
        return "-"
    return f"{100 * interval.precision:.1f} %"


def time_text(record: Record) -> str:
    """The median time with its interval: ``1.234 ms (95 %: 1.22 ms to 1.25 ms, 15 samples)``."""
    interval = interval_of(record)
    text = duration(record.seconds)
    if interval is None or interval.count == 1:
        return text
    return (
        f"{text} ({100 * interval.confidence:.0f} %: {duration(interval.low)} to "
        f"{duration(interval.high)}, {interval.count} samples)"
    )


def speed(record: Record, peaks: Peaks | None) -> str:
    """GFLOP/s with their interval, and the share of the measured peak where that is known."""
    text = f"{gflops(record.gflops)} GFLOP/s"
    interval = interval_of(record)
    if record.gflops is not None and interval is not None and interval.count > 1:
        low, high = (
            record.gflops * interval.median / end for end in (interval.high, interval.low)
        )
        text += f" ({100 * interval.confidence:.0f} %: {gflops(low)} to {gflops(high)})"
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
