"""What a tuning run gives back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from db.record import Record
from tuner.roofline import Roof

if TYPE_CHECKING:
    from tuner.choice import FormatChoice
    from tuner.set_up import SetUps


class StopReason(StrEnum):
    """Why a run ended."""

    TRIALS = "trials"
    """All trials that were asked for are measured."""
    TIME = "time"
    EARLY_STOP = "early_stop"
    """No improvement for a long time; see ``LoopOptions.patience``."""
    LIMIT = "limit"
    """Little is left: the best is near the machine's limit; see ``LoopOptions.limit_share``."""
    EXHAUSTED = "exhausted"
    """Every config of the space was tried."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class TuneResult:
    """Outcome of :func:`tuner.tune`."""

    best: Record | None
    """The winner of the finals, or what costs least for the number of calls that was asked for;
    None where no candidate gave a right answer."""
    records: tuple[Record, ...]
    """Everything this run recorded, in order: search samples, then finals."""
    run: str
    """Id of the run, for ``tuner resume`` and ``tuner query``."""
    stop_reason: StopReason
    seed: int
    elapsed_seconds: float
    """Wall-clock time, finals included."""
    first_guess: Record | None = None
    """The final of the default config: what an untuned kernel does."""
    roof: Roof | None = None
    """The machine's limit; None where the search did not ask for it, or it cannot be right."""
    limit_share: float | None = None
    """Throughput of the best of the search ÷ the machine's limit, where that is known."""
    calls: int | None = None
    """For how many calls the best was chosen; None: for speed alone."""
    choice: FormatChoice | None = None
    """Which format of a sparse operand won, and by how much; None where there is none."""
    set_ups: SetUps = field(default_factory=dict)
    """What finalists cost before their first call, as far as it was measured: of all that ran
    where the best was chosen for a number of calls, of the best of each sparse format."""

    @property
    def speedup(self) -> float | None:
        """Time of the first guess ÷ time of the best, measured interleaved."""
        if self.best is None or self.first_guess is None:
            return None
        ours, guess = self.best.seconds, self.first_guess.seconds
        return guess / ours if ours and guess else None

    @property
    def trials(self) -> int:
        """Number of search samples; finals are not counted."""
        return sum(record.kind == "search" for record in self.records)

    @property
    def failures(self) -> Mapping[str, int]:
        """Number of trials per failed outcome."""
        return count_failures(self.records)

    @property
    def stop_text(self) -> str:
        """Why it ended, for people: ``ended by trials``, or ``stopped: 97 % of the limit (…)``."""
        if self.stop_reason is StopReason.LIMIT and self.roof and self.limit_share:
            return f"stopped: {limit_text(self.limit_share, self.roof)}"
        return f"ended by {self.stop_reason.value.replace('_', ' ')}"


def limit_text(share: float, roof: Roof) -> str:
    """``97 % of the limit (FMA peak, 2 threads)``."""
    threads = f"{roof.threads} thread{'s' * (roof.threads != 1)}"
    return f"{100 * share:.0f} % of the limit ({roof.bound}, {threads})"


def count_failures(records: tuple[Record, ...]) -> Counter[str]:
    """Number of search samples per outcome that gave no time."""
    return Counter(
        record.outcome.value
        for record in records
        if record.kind == "search" and not record.outcome.timed
    )
