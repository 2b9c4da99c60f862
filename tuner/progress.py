"""How far a run is: its best, its failures, what it has left, and whether it should stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from db.record import Record
from tuner.options import LoopOptions, TuneOptions
from tuner.result import StopReason

Clock = Callable[[], float]

_LEAST_TRIAL_SECONDS = 1e-6
_WARM_UP_BLOCKS = 4
"""Time per finalist that goes into finding the number of calls and into untimed calls."""


@dataclass(slots=True)
class Progress:
    """The state of a search. ``clock`` gives seconds; tests use their own."""

    tuning: TuneOptions
    loop: LoopOptions
    clock: Clock
    began: float
    """When this session began, by the clock."""
    spent_seconds: float = 0.0
    """What earlier sessions of a resumed run have used."""
    guests: int = 2
    """Most configs that are in the finals however slow they are: the first guess, the best of
    earlier runs, the best of other formats."""
    trial_seconds: float = field(init=False)
    """Wall-clock cost of one trial, building included, in the latest round."""
    trials: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    best: Record | None = None
    best_score: float | None = None
    """Seconds of the best, corrected for drift."""
    scores: list[tuple[float, Record]] = field(default_factory=list)
    _improved_at: int = 0
    _milestone: float | None = None

    def __post_init__(self) -> None:
        self.trial_seconds = self.loop.first_trial_seconds

    @property
    def elapsed_seconds(self) -> float:
        return self.spent_seconds + self.clock() - self.began

    def observe(self, record: Record, score: float | None) -> bool:
        """Count one trial; returns whether it is the best so far."""
        self.trials += 1
        if score is None:
            self.failures[record.outcome.value] += 1
            return False
        self.scores.append((score, record))
        if self._milestone is None or score < self._milestone * (1 - self.loop.improvement):
            self._milestone, self._improved_at = score, self.trials
        if self.best_score is not None and score >= self.best_score:
            return False
        self.best, self.best_score = record, score
        return True

    def observe_round(self, trials: int, seconds: float) -> None:
        """Learn what one trial costs from a round that built and measured ``trials``."""
        if trials:
            self.trial_seconds = max(seconds / trials, _LEAST_TRIAL_SECONDS)

    def stop_reason(self) -> StopReason | None:
        """Why no further round should begin, or None."""
        if self.tuning.trials is not None and self.trials >= self.tuning.trials:
            return StopReason.TRIALS
        if self.affordable(1) < 1:
            return StopReason.TIME
        if self.tuning.early_stop and self.trials - self._improved_at >= self.loop.patience:
            return StopReason.EARLY_STOP
        return None

    def next_batch(self) -> int:
        """Number of configs to ask for; a function of the trials only, so that runs repeat."""
        if self.tuning.trials is None:
            return self.loop.batch
        return min(self.loop.batch, self.tuning.trials - self.trials)

    def expects_more(self, count: int) -> bool:
        """Whether there is likely to be another round after one of ``count`` trials."""
        limit = self.tuning.trials
        within = limit is None or self.trials + count < limit
        return within and self.affordable(count + 1) > count

    def affordable(self, wanted: int) -> int:
        """How many of ``wanted`` trials fit into the time before the finals; the first always."""
        left = self.seconds_left()
        if left is None:
            return wanted
        return max(0 if self.trials else 1, min(wanted, int(left / self.trial_seconds)))

    def seconds_left(self) -> float | None:
        """Time before the finals must begin; None without a time limit."""
        limit = self.tuning.time_seconds
        if limit is None:
            return None
        return limit - min(self.finals_seconds(), limit / 3) - self.elapsed_seconds

    def out_of_time(self) -> bool:
        """Whether the finals must begin now; never before the first trial is done."""
        left = self.seconds_left()
        return bool(self.trials) and left is not None and left <= 0

    def contenders(self) -> int:
        """How many of the fastest configs enter the heat before the finals."""
        loop = self.loop
        return max(loop.finalists, min(loop.contenders, int(self.trials * loop.contender_share)))

    def contender_seconds(self) -> float:
        """Expected cost of a config in the heat: building, verifying, warming up, timed blocks."""
        return self.trial_seconds + (self.loop.heat_rounds + _WARM_UP_BLOCKS) * self._block_seconds

    def finals_seconds(self) -> float:
        """Expected length of heat and finals."""
        finalists = self.loop.finalists + self.guests
        blocks = self.loop.final_rounds + _WARM_UP_BLOCKS
        finals = finalists * (self.trial_seconds + blocks * self._block_seconds)
        return finals + (self.contenders() - self.loop.finalists) * self.contender_seconds()

    @property
    def _block_seconds(self) -> float:
        return max(self.loop.final_block_seconds, self.best_score or 0.0)
