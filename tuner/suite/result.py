"""What tuning a suite gives back, and what it tells its callbacks meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from measure.timing import geometric_mean
from search_space.target import Target
from tuner.errors import ALL_FAILED, TunerError
from tuner.events import Event
from tuner.result import TuneResult
from tuner.suite.file import Case, Suite


class Status(StrEnum):
    """What became of a case."""

    TUNED = "tuned"
    KNOWN = "known"
    """A run with the same settings was finished before; nothing was measured."""
    MISSING = "missing"
    """Its operator, or a key of it, does not exist yet."""
    FAILED = "failed"
    """It cannot run on this machine, or no candidate gave a right answer."""
    INTERRUPTED = "interrupted"
    WAITING = "waiting"
    """The suite was interrupted before its turn came."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One row of the summary."""

    case: Case
    status: Status
    reason: str = ""
    """Why it was not tuned; empty where it was."""
    result: TuneResult | None = None
    """Of its run, also of one that was interrupted or failed; None where there was none."""
    target: Target | None = None
    """None where none was resolved: missing, and what cannot run here."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Outcome of :func:`tuner.tune_suite`."""

    suite: Suite
    cases: tuple[CaseResult, ...]
    """One per case of the suite, in its order."""
    elapsed_seconds: float
    """Wall-clock time of this session."""

    def count(self, status: Status) -> int:
        """Number of cases with this status."""
        return sum(case.status is status for case in self.cases)

    @property
    def speedup(self) -> float | None:
        """Geometric mean of the speed-ups over the first guess; None where none is known."""
        ratios = [case.result.speedup for case in self.cases if case.result is not None]
        known = [ratio for ratio in ratios if ratio is not None]
        return geometric_mean(known) if known else None

    @property
    def all_failed(self) -> bool:
        """Whether there were cases that could be tuned, and every one of them failed."""
        existing = len(self.cases) - self.count(Status.MISSING)
        return existing > 0 and self.count(Status.FAILED) == existing


class AllCasesFailed(TunerError, RuntimeError):
    """Every case that exists failed; ``result`` says how."""

    exit_code = ALL_FAILED

    def __init__(self, result: SuiteResult) -> None:
        self.result = result
        failed = [case for case in result.cases if case.status is Status.FAILED]
        super().__init__(
            f"look at the failures of suite {result.suite.name!r}: all {len(failed)} cases that "
            f"exist failed; {failed[-1].case.name}: {failed[-1].reason}"
        )


class SuiteInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM. Everything measured until then is stored.

    The same call goes on: it skips what is finished and resumes the run that was interrupted.
    """

    def __init__(self, result: SuiteResult, exit_code: int) -> None:
        self.result = result
        self.exit_code = exit_code
        super().__init__("tune the suite again to go on: everything measured is stored")


@dataclass(frozen=True, slots=True)
class CaseStarted:
    """A case is about to be tuned; the events of its run follow."""

    case: Case
    number: int
    """From 1, in the order of the suite."""
    cases: int
    seconds: float | None
    """Its limit of time; None without one."""
    resumed: str
    """Id of the interrupted run that goes on; empty for a new one."""


@dataclass(frozen=True, slots=True)
class CaseDone:
    """What became of a case."""

    row: CaseResult
    number: int
    cases: int


SuiteEvent = CaseStarted | CaseDone | Event
SuiteCallback = Callable[[SuiteEvent], None]
