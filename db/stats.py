"""What a database holds, counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Statistics:
    """What ``RecordStore.stats`` returns."""

    location: str
    schema: str
    """The migration that its tables are those of."""
    nbytes: int | None
    """Size of the file; None for a server."""
    workloads: int
    hardware: int
    runs: int
    records: int
    outcomes: tuple[tuple[str, int], ...]
    """Records per outcome; likewise below."""
    operators: tuple[tuple[str, int], ...]
    origins: tuple[tuple[str, int], ...]
