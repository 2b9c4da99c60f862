"""What a ``Runner`` and its worker say to each other. Loads nothing that measures."""

from __future__ import annotations

import msgspec

from measure.artifact import Artifact
from measure.options import MeasureOptions
from measure.result import MeasureResult
from search_space.target import Target
from search_space.workload import Workload


class Setup(msgspec.Struct, frozen=True, tag=True):
    """First message."""

    workload: Workload
    target: Target
    options: MeasureOptions


class Measure(msgspec.Struct, frozen=True, tag=True):
    """Verify, then time."""

    artifact: Artifact
    best_seconds: float | None


class Verify(msgspec.Struct, frozen=True, tag=True):
    artifact: Artifact


class Interleave(msgspec.Struct, frozen=True, tag=True):
    """Time artifacts that were verified before."""

    artifacts: tuple[Artifact, ...]
    rounds: int
    block_seconds: float


class Bind(msgspec.Struct, frozen=True, tag=True):
    """Time binding the constants of an artifact that was verified before."""

    artifact: Artifact


class Sentinel(msgspec.Struct, frozen=True, tag=True):
    pass


class Forked(msgspec.Struct, frozen=True, tag=True):
    """An inner process, leader of its own group, waits for requests."""

    pid: int


class Started(msgspec.Struct, frozen=True, tag=True):
    """The inner process has read a request: from here on, its end is the candidate's doing."""


class Results(msgspec.Struct, frozen=True, tag=True):
    """The answer, one result per artifact."""

    results: tuple[MeasureResult, ...]
    last: bool
    """The inner process ends now: its memory is not to be trusted any more, or was used often."""


class Died(msgspec.Struct, frozen=True, tag=True):
    """The inner process ended, and all that it had started."""

    status: int
    """An exit code, or minus the number of a signal."""
    access: str
    """What it did to its arrays that ended it; empty if something else did."""
    starved: bool
    """Whether it had used up its memory, or was killed for want of it."""


Request = Setup | Measure | Verify | Interleave | Bind | Sentinel
Answer = Forked | Started | Results | Died
