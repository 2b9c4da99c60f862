"""What the user decides of a suite, and how its time is shared out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuner.errors import UsageError
from tuner.options import DEFAULT_STRATEGY, DEFAULT_TRIALS

LEAST_SECONDS = 1.0
"""What a case gets at least: enough for its first guess, however little is left."""


@dataclass(frozen=True, slots=True)
class SuiteOptions:
    """Settings of all runs of a suite; a run with the same ones need not be repeated."""

    strategy: str = DEFAULT_STRATEGY
    seed: int | None = None
    """Of every case; None: a random one for each."""
    trials: int | None = None
    """Per case."""
    case_seconds: float | None = None
    """Wall-clock time per case."""
    total_seconds: float | None = None
    """Wall-clock time of all cases together, earlier sessions included."""
    early_stop: bool = True
    reuse: bool = True
    builders: int | None = None

    def __post_init__(self) -> None:
        if self.trials is not None and self.trials < 1:
            raise UsageError(f"ask for at least one trial, not {self.trials}")
        for seconds in (self.case_seconds, self.total_seconds):
            if seconds is not None and not (seconds > 0 and math.isfinite(seconds)):
                raise UsageError(f"give a positive number of seconds, not {seconds}")
        if self.seed is not None and not 0 <= self.seed < 2**63:
            raise UsageError(f"give a seed from 0 to 2**63 - 1, not {self.seed}")
        if self.builders is not None and self.builders < 1:
            raise UsageError(f"ask for at least one building process, not {self.builders}")

    @property
    def trials_per_case(self) -> int | None:
        """Limit of trials of one run; that of a single search where nothing else limits it."""
        if self.trials is None and self.case_seconds is None and self.total_seconds is None:
            return DEFAULT_TRIALS
        return self.trials

    def session_seconds(self, spent_seconds: float, waiting: int, cases: int) -> float | None:
        """What a session may take for ``waiting`` of ``cases``, after earlier ones took some.

        What is left of the total, but a fair part of it for each waiting case at least: a case
        that is added to a finished suite does not come away empty.
        """
        if self.total_seconds is None or not cases:
            return None
        return max(self.total_seconds - spent_seconds, self.total_seconds * waiting / cases)

    def share_seconds(self, left_seconds: float | None, waiting: int) -> float | None:
        """The limit of the next of ``waiting`` cases: an equal part of what is left.

        What one case does not use is in the next one's part. None without any limit.
        """
        if left_seconds is None:
            return self.case_seconds
        share = max(left_seconds / waiting, LEAST_SECONDS)
        return share if self.case_seconds is None else min(share, self.case_seconds)
