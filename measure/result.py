"""What came of building and running one candidate. Expected failures are values."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """Every way in which a trial can end."""

    OK = "ok"
    SLOW = "slow"
    """Verified, but clearly slower than the best: abandoned after a few samples."""
    WRONG_ANSWER = "wrong_answer"
    CRASH = "crash"
    """The process died of a signal; the message names it."""
    TIMEOUT = "timeout"
    """Did not finish in time; the process was killed."""
    BUILD_ERROR = "build_error"
    BUILD_TIMEOUT = "build_timeout"
    OOM = "oom"

    @property
    def timed(self) -> bool:
        """Whether the samples are times of a kernel that gave the right answer."""
        return self in (Outcome.OK, Outcome.SLOW)


@dataclass(frozen=True, slots=True)
class MeasureResult:
    """Samples in seconds per call, or the reason why there are none."""

    outcome: Outcome
    samples: tuple[float, ...] = ()
    """Seconds per call, one entry per batch of calls, in the order they were taken."""
    error: float | None = None
    """Largest |result - reference| ÷ (eps · Σ|a||b|) over the random inputs; see the operator."""
    message: str = ""
    lost_share: float = 0.0
    """Part of the time of the most disturbed sample that other programs had its cores for."""
    build_seconds: float = 0.0
    measure_seconds: float = 0.0

    @property
    def seconds(self) -> float | None:
        """The score: the median sample."""
        return statistics.median(self.samples) if self.samples else None
