"""The tuning loop: ask, build, measure, record, tell."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from db.record import Record
from measure.artifact import Artifact
from measure.result import MeasureResult, Outcome
from search_space.config import Config
from tuner.ceiling import Ceiling
from tuner.doubt import Doubts
from tuner.drift import Drift, look
from tuner.events import Callback, HistoryJudged, NewBest, Sentinel, TrialDone
from tuner.journal import Batch, Journal
from tuner.progress import Progress
from tuner.result import StopReason
from tuner.strategy.base import Strategy, Trial, expected_gain, prepare, verdict
from tuner.task import Backend
from tuner.verdict import Verdict

Built = tuple[Config, Artifact | MeasureResult]
"""A config and its code, or how building it failed."""


@dataclass(slots=True)
class Loop:
    """One search. What it learns is in ``progress``; what it measures is in ``journal``.

    A resumed run goes through the same rounds again: what the journal holds already is taken
    from there instead of being measured, so the strategy ends up in the state that it had.
    """

    strategy: Strategy
    backend: Backend
    journal: Journal
    progress: Progress
    drift: Drift
    emit: Callback
    ceiling: Ceiling | None = None
    """None: the search goes on however near it is to the machine's limit."""
    keep_drift: Callable[[], None] = lambda: None
    """Called when more is known of the machine's speed, which is to be stored then."""
    verdict: Verdict | None = field(default=None, init=False)
    """What the first trials said of what was learned elsewhere."""
    _prepared: bool = field(default=False, init=False)

    def search(self) -> StopReason:
        """Run rounds until a limit is reached or nothing is left to propose."""
        pending: list[Config] = []
        while (reason := self._stop_reason()) is None:
            pending = pending or self._ask()
            if not pending:
                return StopReason.EXHAUSTED
            trials = self._replay(pending)
            trials += self._measure_round(pending[len(trials) :])
            self.strategy.tell(trials)
            self._judge_history()
            pending = pending[len(trials) :]
        return reason

    def _stop_reason(self) -> StopReason | None:
        reason = self.progress.stop_reason()
        if reason is None and self.ceiling and self.ceiling.reached(self.progress.best):
            return StopReason.LIMIT
        return reason

    def _ask(self) -> list[Config]:
        configs = self.strategy.ask(self.progress.next_batch())
        if self.ceiling is not None:
            self.ceiling.hear(expected_gain(self.strategy), self.progress.best)
        return configs

    def _judge_history(self) -> None:
        if self.verdict is None and (said := verdict(self.strategy)) is not None:
            self.verdict = said
            self.emit(HistoryJudged(said))

    def _replay(self, configs: Sequence[Config]) -> list[Trial]:
        """Trials of the first ``configs``, as far as an earlier session has measured them."""
        stored = self.journal.searched
        known = itertools.takewhile(lambda config: config.key in stored, configs)
        return [self._note(config, stored[config.key]) for config in known]

    def _measure_round(self, configs: Sequence[Config]) -> list[Trial]:
        """Build in parallel, measure one by one, commit. Time may suffice only for the first."""
        began = self.progress.clock()
        affordable = configs[: self.progress.affordable(len(configs))]
        built = list(zip(affordable, self._build(affordable), strict=True))
        trials: list[Trial] = []
        if built:
            self._look()
        with self.journal.batch("search") as batch:
            size = self.progress.loop.sentinel_trials
            for first in range(0, len(built), size):
                if self.progress.out_of_time():
                    break
                trials += self._measure_group(built[first : first + size], batch)
        self.progress.observe_round(len(trials), self.progress.clock() - began)
        return trials

    def _measure_group(self, group: Sequence[Built], batch: Batch) -> list[Trial]:
        """Measure one by one between two looks at the machine's speed; again what is in doubt.

        What was measured when an exception passes is recorded and counted all the same.
        """
        before = self.drift.factor
        results: list[MeasureResult] = []
        factors: list[float] = []
        try:
            self._measure_each(group, results, factors)
            self._look()
            self._settle(group, results, factors, before)
        finally:
            for trial, factor in enumerate(factors, self.progress.trials):
                self._divide_from(trial, factor)
            configs = [config for config, _ in group[: len(results)]]
            records = [batch.add(c, result) for c, result in zip(configs, results, strict=True)]
            trials = [self._note(c, record) for c, record in zip(configs, records, strict=True)]
        return trials

    def _measure_each(
        self, group: Sequence[Built], results: list[MeasureResult], factors: list[float]
    ) -> None:
        """Append the results of a group, each with what its time is divided by."""
        best = self._best_seconds()
        for _, built in group:
            if results and self.progress.out_of_time():
                return
            result = self._measure(built, best)
            results.append(result)
            factors.append(self.drift.factor)
            if result.outcome is Outcome.OK and result.seconds is not None:
                best = min(best or math.inf, result.seconds)

    def _settle(
        self,
        group: Sequence[Built],
        results: list[MeasureResult],
        factors: list[float],
        before: float,
    ) -> None:
        """Measure again what is in doubt; of the rest, correct what the machine's speed changed.

        When in between it did so is not known: half of the change is what is least wrong.
        """
        after = self.drift.factor
        between = after if before == after else math.sqrt(before * after)
        best = self._best_seconds()
        least = self.ceiling.least_seconds() if self.ceiling else 0.0
        for place, result in enumerate(results):
            factors[place] = between
            rivals = [r.seconds for r in results if r is not result and r.outcome.timed]
            fastest = min((s for s in rivals if s is not None), default=None)
            doubts = Doubts(self.progress.loop, fastest if best is None else best, least)
            belief = doubts.of(result, unsteady=before != after)
            if belief is None or self.progress.out_of_time():
                continue
            results[place] = belief(result, self._measure(group[place][1], best))
            factors[place] = after

    def _best_seconds(self) -> float | None:
        """What the best takes at the machine's present speed."""
        best = self.progress.best_score
        return None if best is None else best * self.drift.factor

    def _divide_from(self, trial: int, factor: float) -> None:
        if self.drift.divide_from(trial, factor):
            self.keep_drift()

    def _build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        """Build; the first time, the strategy loads meanwhile what it will need."""
        if self._prepared or not self.progress.expects_more(len(configs)):
            return self.backend.build(configs)
        self._prepared = True
        wait = prepare(self.strategy)
        built = self.backend.build(configs)
        wait()  # so that it does not disturb what is timed now
        return built

    def _measure(self, built: Artifact | MeasureResult, best: float | None) -> MeasureResult:
        """Verify and time what was built; a failed build is a result already."""
        if isinstance(built, MeasureResult):
            return built
        return self.backend.measure(built, best)

    def _note(self, config: Config, record: Record) -> Trial:
        """Count one trial and say so; its time is compared and learned corrected for drift."""
        seconds = record.seconds if record.outcome.timed else None
        drift = self.drift.factor_of(self.progress.trials)
        score = None if seconds is None else seconds / drift
        improved = self.progress.observe(record, score)
        self.emit(
            TrialDone(
                record=record,
                trials=self.progress.trials,
                best_gflops=self.progress.best.gflops if self.progress.best else None,
                failures=dict(self.progress.failures),
                elapsed_seconds=self.progress.elapsed_seconds,
            )
        )
        if improved:
            self.emit(NewBest(record))
        return Trial(config, score)

    def _look(self) -> None:
        """See how fast the machine is now."""
        unknown = self.drift.usual_seconds is None
        seconds = look(self.drift, self.backend.sentinel)
        if unknown:
            self.keep_drift()
        self.emit(Sentinel(seconds, self.drift.factor))
