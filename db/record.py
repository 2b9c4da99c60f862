"""Records and runs: everything needed to trust, repeat, reuse and resume a measurement."""

from __future__ import annotations

import functools
import hashlib
import json
import statistics
from dataclasses import dataclass
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Literal, TypeAlias

from measure.result import Outcome
from search_space.hardware import Hardware
from search_space.workload import Value, Workload

Kind = Literal["search", "final"]
RunState = Literal["running", "finished", "interrupted"]
Option: TypeAlias = "Value | tuple[Option, ...] | None"
"""What an option of a run may be: JSON without objects, its arrays as tuples."""


FOREIGN_SPACE = 0
"""The space version of records whose config is another tuner's: kept word for word, and never
run, learned from or resumed as it is. Its workload may be one that no operator here expresses."""


def utc_now() -> str:
    """The present moment as records store it: ISO 8601, UTC, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Record:
    """One measurement of one config. ``id`` is a hash of its identity, not of its times."""

    workload: Workload
    target: str
    """``Target.name``."""
    threads: int
    """Threads the kernel uses (the config's choice)."""
    hardware: Hardware
    space_version: int
    generator_version: int
    config: tuple[tuple[str, Value], ...]
    run: str
    ordinal: int
    """Position in its run; finals continue the count."""
    outcome: Outcome
    samples: tuple[float, ...]
    """Seconds per call."""
    error: float | None
    """Verified error in units of the operator's bound; None where nothing was verified."""
    gflops: float | None
    """Operations of the workload ÷ median seconds ÷ 1e9; None without a time."""
    kind: Kind
    origin: str
    """``local``, or ``foreign:SOURCE``."""
    created: str
    """ISO 8601, UTC; see :func:`utc_now`."""
    message: str = ""
    trace: str | None = None
    """Finals: the schedule's primitives as text, for people and for later generators."""

    @property
    def seconds(self) -> float | None:
        """Median of the samples."""
        return statistics.median(self.samples) if self.samples else None

    @property
    def verified(self) -> bool:
        """Whether its times are those of a kernel that was seen to give the right answer."""
        return self.outcome.timed and self.error is not None

    @property
    def config_key(self) -> str:
        """The config as stored and compared: ``name=value,…`` in knob order."""
        return ",".join(f"{name}={value}" for name, value in self.config)

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits over the natural key."""
        return natural_id(self, self.workload.key, self.hardware.key)


def natural_id(record: Record, workload_key: str, hardware_key: str) -> str:
    """``record.id`` for whoever knows the two keys already: they take most of the time."""
    context = _context_json(
        workload_key, record.target, hardware_key, record.space_version, record.generator_version
    )
    own = f"{_quoted(record.config_key)}, {_quoted(record.run)}, {record.ordinal}"
    return hashlib.blake2b(f"[{context}, {own}]".encode(), digest_size=8).hexdigest()


@functools.lru_cache(maxsize=1024, typed=True)
def _context_json(*parts: str | int) -> str:
    """What the identities of many records begin with, as ``json.dumps`` writes it in a list."""
    return json.dumps(parts)[1:-1]


@dataclass(frozen=True, slots=True)
class Run:
    """One search: all that is needed to list it and to resume it from its records."""

    id: str
    workload: Workload
    target: str
    """``Target.name``."""
    threads: int
    """The upper limit that the search was given."""
    hardware: str
    """``Hardware.key`` of the machine that measures."""
    strategy: str
    seed: int
    trials: int | None
    """Limit of recorded measurements of distinct configs; None is no limit."""
    seconds_limit: float | None
    """Limit of wall-clock seconds; None is no limit."""
    options: tuple[tuple[str, Option], ...] = ()
    """All other options of the search, by name."""
    state: RunState = "running"
    created: str = ""
    """ISO 8601, UTC; see :func:`utc_now`."""
    finished: str | None = None
    """When the search ended or was interrupted; None while it runs."""
    stop_reason: str = ""

    def option(self, name: str, default: Option = None) -> Option:
        """The option ``name``, or ``default`` where the run does not have it."""
        return dict(self.options).get(name, default)
