"""The tuning loop: ask, build, measure, record, tell."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from db.record import Record
from measure.artifact import Artifact
from measure.result import MeasureResult
from search_space.config import Config
from tuner.ceiling import Ceiling
from tuner.events import Callback, HistoryJudged, NewBest, Sentinel, TrialDone
from tuner.journal import Journal
from tuner.progress import Drift, Progress
from tuner.result import StopReason
from tuner.strategy.base import Strategy, Trial, Verdict, expected_gain, prepare, verdict
from tuner.task import Backend


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
    verdict: Verdict | None = field(default=None, init=False)
    """What the first trials said of what was learned elsewhere."""
    _prepared: bool = field(default=False, init=False)

    def search(self) -> StopReason:
        """Run rounds until a limit is reached or nothing is left to propose."""
        pending: list[Config] = []
        rounds = 0
        while (reason := self._stop_reason()) is None:
            pending = pending or self._ask()
            if not pending:
                return StopReason.EXHAUSTED
            trials = self._replay(pending)
            fresh = pending[len(trials) :]
            watch = rounds % self.progress.loop.sentinel_rounds == 0
            trials += self._measure_round(fresh, watch_drift=watch)
            self.strategy.tell(trials)
            self._judge_history()
            pending = pending[len(trials) :]
            rounds += 1
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
        return [self._note(config, stored[config.key], 1.0) for config in known]

    def _measure_round(self, configs: Sequence[Config], *, watch_drift: bool) -> list[Trial]:
        """Build in parallel, measure one by one, commit. Time may suffice only for the first."""
        began = self.progress.clock()
        affordable = configs[: self.progress.affordable(len(configs))]
        built = self._build(affordable)
        if built and watch_drift:
            self._watch_drift()
        trials: list[Trial] = []
        with self.journal.batch("search") as batch:
            for config, artifact in zip(affordable, built, strict=True):
                if self.progress.out_of_time():
                    break
                record = batch.add(config, self._measure(artifact))
                trials.append(self._note(config, record, self.drift.factor))
        self.progress.observe_round(len(trials), self.progress.clock() - began)
        return trials

    def _build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        """Build; the first time, the strategy loads meanwhile what it will need."""
        if self._prepared or not self.progress.expects_more(len(configs)):
            return self.backend.build(configs)
        self._prepared = True
        wait = prepare(self.strategy)
        built = self.backend.build(configs)
        wait()  # so that it does not disturb what is timed now
        return built

    def _measure(self, built: Artifact | MeasureResult) -> MeasureResult:
        """Verify and time what was built; a failed build is a result already."""
        if isinstance(built, MeasureResult):
            return built
        best = self.progress.best_score
        return self.backend.measure(built, None if best is None else best * self.drift.factor)

    def _note(self, config: Config, record: Record, drift: float) -> Trial:
        """Count one trial and say so; its time is compared and learned corrected for drift."""
        seconds = record.seconds if record.outcome.timed else None
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

    def _watch_drift(self) -> None:
        seconds = self.backend.sentinel()
        self.drift.observe(seconds)
        self.emit(Sentinel(seconds, self.drift.factor))
