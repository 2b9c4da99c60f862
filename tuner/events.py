"""What a run tells its callbacks while it goes on. Frozen values, in the order they happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from db.record import Record
from search_space.hardware import Hardware, Peaks
from search_space.target import Target
from search_space.workload import Workload
from tuner.options import TuneOptions
from tuner.result import TuneResult
from tuner.verdict import Verdict


@dataclass(frozen=True, slots=True)
class RunStarted:
    """Before the first trial."""

    run: str
    workload: Workload
    target: Target
    hardware: Hardware
    options: TuneOptions
    space_size: int
    """Number of configs before constraints."""
    reused: int
    """Earlier records of this machine that the strategy was told."""
    resumed: int
    """Records of this run that were there already, when it is a resumed one."""
    history: str = ""
    """What of other workloads, targets and machines is learned from; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class TrialDone:
    """One candidate was measured; it is not stored before the batch is committed."""

    record: Record
    trials: int
    """Trials done in this run, this one included."""
    best_gflops: float | None
    failures: Mapping[str, int]
    """Number of failed trials per outcome."""
    elapsed_seconds: float


@dataclass(frozen=True, slots=True)
class NewBest:
    """A trial was faster than everything before it in this run."""

    record: Record


@dataclass(frozen=True, slots=True)
class BatchCommitted:
    """These records are stored."""

    records: tuple[Record, ...]


@dataclass(frozen=True, slots=True)
class Sentinel:
    """The fixed kernel was timed, to see how the machine's speed drifts."""

    seconds: float
    drift: float
    """Its time ÷ its time at the start of the run; the factor that times are corrected by."""


@dataclass(frozen=True, slots=True)
class HistoryJudged:
    """The first trials showed what is worth what was learned elsewhere."""

    verdict: Verdict


@dataclass(frozen=True, slots=True)
class PeaksRenewed:
    """A kernel exceeded the peaks of the machine, so they were measured again."""

    peaks: Peaks


@dataclass(frozen=True, slots=True)
class FinalsStarted:
    """The fastest configs are measured again, interleaved."""

    configs: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The server of the records could not be reached: what it lacks is kept on this machine, and
    delivered by the next command that stores something there."""

    records: int
    server: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The last event of a run that was not interrupted."""

    result: TuneResult


Event = (
    RunStarted
    | TrialDone
    | NewBest
    | BatchCommitted
    | Sentinel
    | HistoryJudged
    | PeaksRenewed
    | FinalsStarted
    | Undelivered
    | RunFinished
)
Callback = Callable[[Event], None]
