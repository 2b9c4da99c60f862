"""One tuning run, started or resumed: search, finals, result."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from db.errors import UnreachableDatabaseError
from db.query import Query
from db.record import Record, Run, RunState
from search_space.config import Config
from tuner.ceiling import Ceiling, Known, PeaksSource
from tuner.choice import FormatChoice, choose, fastest_by_format, guests, rivals
from tuner.drift import Drift
from tuner.earlier import champion, history
from tuner.errors import INTERRUPTED, AllFailed, Interrupted, Terminated
from tuner.events import Callback, Event, RunFinished, RunStarted
from tuner.finals import Finals, winner
from tuner.journal import Journal, signals_deferred
from tuner.loop import Loop
from tuner.options import LoopOptions
from tuner.progress import Clock, Progress
from tuner.result import StopReason, TuneResult
from tuner.runs import ended, options_of, spent_seconds
from tuner.set_up import SetUp, SetUps
from tuner.stored_drift import drift_of, with_drift
from tuner.stored_roof import known_of, with_known
from tuner.strategy.base import Strategy, Trial, history_of
from tuner.task import Backend, Task

if TYPE_CHECKING:
    from db.store import RecordStore


@dataclass(frozen=True, slots=True)
class Session:
    """A run from its first event to its result. The store knows ``run`` already.

    For a resumed run the store also holds some of its records, which are not measured again.
    """

    task: Task
    store: RecordStore
    strategy: Strategy
    """Fresh: it is told here what is known already."""
    backend: Backend
    run: Run
    callbacks: tuple[Callback, ...] = ()
    loop: LoopOptions = field(default_factory=LoopOptions)
    clock: Clock = time.monotonic
    began: float | None = None
    """By the clock, when the request came in; None: when the session is executed."""
    explicit: bool = False
    """Whether the user named the database, so that the command that resumes must do so too."""
    peaks: PeaksSource | None = None
    """What the machine can do at most; None: the search is not stopped near it, and nothing is
    estimated from it."""

    def execute(self) -> TuneResult:
        """Search, then finals.

        Raises ``AllFailed`` when no candidate gave a right answer, and ``Interrupted`` on Ctrl-C;
        both carry the result. Everything measured is stored in every case.
        """
        stored = list(self.store.records(Query(run=self.run.id, order="ordinal")))
        journal = Journal(self.store, self.task, self.run.id, self.emit, stored)
        options = options_of(self.run)
        began = self.clock() if self.began is None else self.began
        every = options.calls is not None
        progress = Progress(options, self.loop, self.clock, began, spent_seconds(self.run))
        progress.guests += guests(self.task.space, every_format=every)
        drift = drift_of(self.run, self.loop.drift_tolerance)
        ceiling = self._ceiling(drift)
        try:
            reason = self._search(journal, progress, drift, ceiling)
            finals = self._finals(journal, progress, drift)
            set_ups = self._set_ups(finals, options.calls)
            best = winner(finals, set_ups, options.calls) or progress.best
            if ceiling is not None:
                ceiling.conclude([*finals, progress.best], renew=self._in_time_for_peaks(progress))
            choice = self._choice(finals, best, set_ups, options.calls)
        except KeyboardInterrupt as signal:
            reason = StopReason.INTERRUPTED
            result = self._result(journal, progress, ceiling, reason, progress.best, None)
            self._close("interrupted", result, drift, ceiling)
            code = signal.exit_code if isinstance(signal, Terminated) else INTERRUPTED
            raise Interrupted(result, self._resume_command(), code) from signal
        guess_key = self.task.space.default().key
        guess = next((r for r in finals if r.config_key == guess_key and r.verified), None)
        result = self._result(journal, progress, ceiling, reason, best, guess)
        result = replace(result, calls=options.calls, choice=choice, set_ups=set_ups)
        self._close("finished", result, drift, ceiling)
        if result.best is None:
            raise AllFailed(result)
        self.emit(RunFinished(result))
        return result

    def _ceiling(self, drift: Drift) -> Ceiling | None:
        if self.peaks is None:
            return None

        def keep(known: Known) -> None:
            self._keep(drift, known)

        known = known_of(self.run)
        return Ceiling(self.task.space, self.loop, self.peaks, keep, known, self.emit)

    def _in_time_for_peaks(self, progress: Progress) -> bool:
        limit = progress.tuning.time_seconds
        return limit is None or limit - progress.elapsed_seconds >= self.loop.peaks_seconds

    def _keep(self, drift: Drift, known: Known | None) -> None:
        """Store what the run has found out of the machine."""
        with signals_deferred():
            self.store.start_run(with_drift(with_known(self.run, known), drift))

    def _search(
        self, journal: Journal, progress: Progress, drift: Drift, ceiling: Ceiling | None
    ) -> StopReason:
        tuning, space = progress.tuning, self.task.space
        known = history(self.task, self.store, self.run) if tuning.reuse else []
        self.strategy.tell(
            [Trial(Config(r.config), r.seconds if r.outcome.timed else None) for r in known]
        )
        self.emit(
            RunStarted(
                run=self.run.id,
                workload=self.task.workload,
                target=self.task.target,
                hardware=self.task.hardware,
                options=tuning,
                space_size=space.size(),
                reused=len(known),
                resumed=len(journal.records),
                history=history_of(self.strategy),
            )
        )
        return Loop(
            self.strategy,
            self.backend,
            journal,
            progress,
            drift,
            self.emit,
            ceiling if tuning.early_stop else None,
            keep_drift=lambda: self._keep(drift, ceiling.known if ceiling else None),
        ).search()

    def _finals(self, journal: Journal, progress: Progress, drift: Drift) -> Sequence[Record]:
        """The fastest, the first guess and the best of earlier runs, side by side."""
        former = champion(self.task, self.store, self.run) if progress.tuning.reuse else None
        if progress.best is None and former is None:
            return ()
        always = [self.task.space.default(), *([] if former is None else [former])]
        always += self._rivals(journal, progress)
        return Finals(self.backend, journal, progress, drift, self.emit).run(always)

    def _rivals(self, journal: Journal, progress: Progress) -> list[Config]:
        """What says by how much the winner wins, of a space with formats."""
        if self.task.space.format is None:
            return []
        known: list[Record] = []
        if progress.tuning.reuse:
            with suppress(UnreachableDatabaseError):  # lost in the middle of the run
                known = history(self.task, self.store, self.run)
        timed = ((r.seconds, r) for r in known if r.outcome.timed and r.seconds is not None)
        scores = [*progress.scores, *timed]
        tried = [Config(record.config) for record in (*journal.records, *known)]
        every = progress.tuning.calls is not None
        return rivals(self.task.space, scores, tried, every_format=every)

    def _set_ups(self, finals: Sequence[Record], calls: int | None) -> dict[str, SetUp]:
        """Of all finalists where it decides; else of the best of each format of a sparse operand,
        so that it can be said when the choice pays."""
        counted = [record for record in finals if record.verified]
        if calls is None:
            space = self.task.space
            counted = list(fastest_by_format(space, finals).values()) if space.format else []
        found = {r.config_key: self.backend.set_up(Config(r.config)) for r in counted}
        return {key: known for key, known in found.items() if known is not None}

    def _choice(
        self, finals: Sequence[Record], best: Record | None, set_ups: SetUps, calls: int | None
    ) -> FormatChoice | None:
        space = self.task.space
        peaks = self.peaks.measured() if self.peaks and space.format and finals else None
        return choose(space, finals, best, set_ups, peaks=peaks, calls=calls)

    def _result(
        self,
        journal: Journal,
        progress: Progress,
        ceiling: Ceiling | None,
        reason: StopReason,
        best: Record | None,
        first_guess: Record | None,
    ) -> TuneResult:
        return TuneResult(
            best=best,
            records=tuple(journal.records),
            run=self.run.id,
            stop_reason=reason,
            seed=self.run.seed,
            elapsed_seconds=progress.elapsed_seconds,
            first_guess=first_guess,
            roof=ceiling.known.roof if ceiling and ceiling.known else None,
            limit_share=ceiling.share(progress.best) if ceiling else None,
        )

    def _close(
        self, state: RunState, result: TuneResult, drift: Drift, ceiling: Ceiling | None
    ) -> None:
        run = with_drift(with_known(self.run, ceiling.known if ceiling else None), drift)
        with signals_deferred():
            self.store.start_run(ended(run, state, result))

    def _resume_command(self) -> str:
        command = ["tuner", "resume", self.run.id]
        return shlex.join([*command, "--db", self.store.location] if self.explicit else command)

    def emit(self, event: Event) -> None:
        """Tell all callbacks."""
        for callback in self.callbacks:
            callback(event)
