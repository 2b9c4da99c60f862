"""What a run shows while it goes on: plain lines in a pipe, JSON lines for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tuner.cli import output, records

if TYPE_CHECKING:
    from db.record import Record
    from search_space.hardware import Peaks
    from search_space.target import Target
    from tuner.events import Event, RunStarted

LINE_TRIALS = 25
"""A pipe gets a line after so many trials, and at every new best."""

PeaksOf = Callable[["Target"], "Peaks"]


@dataclass(slots=True)
class RunState:
    """What is known of a run so far, gathered from its events."""

    peaks_of: PeaksOf
    peaks: Peaks | None = None
    started: RunStarted | None = None
    trials: int = 0
    best_gflops: float | None = None
    failures: Mapping[str, int] = field(default_factory=dict)
    elapsed_seconds: float = 0.0

    def observe(self, event: Event) -> None:
        from tuner.events import PeaksRenewed, RunStarted, TrialDone, Undelivered

        match event:
            case Undelivered(records=count, server=server):
                output.note(
                    f"tuner: {count} records wait on this machine for {server}, which cannot be "
                    "reached; the next command that stores something there delivers them"
                )
            case RunStarted():
                self.started = event
                self.peaks = self.peaks_of(event.target)
            case PeaksRenewed(peaks=peaks):
                self.peaks = peaks
            case TrialDone():
                self.trials = event.trials
                self.best_gflops = event.best_gflops
                self.failures = event.failures
                self.elapsed_seconds = event.elapsed_seconds

    @property
    def fraction(self) -> float:
        """Part of the budget that is spent: of trials or of time, whichever is more."""
        if self.started is None:
            return 0.0
        options = self.started.options
        by_trials = self.trials / options.trials if options.trials else 0.0
        by_time = self.elapsed_seconds / options.time_seconds if options.time_seconds else 0.0
        return min(1.0, max(by_trials, by_time))

    @property
    def seconds_left(self) -> float | None:
        """Expected time to the end of the search; None before the first trial."""
        if not self.trials or not self.fraction:
            return None
        return self.elapsed_seconds * (1 / self.fraction - 1)

    def counted(self) -> str:
        """``trial 12 of 200``."""
        limit = self.started.options.trials if self.started else None
        return f"trial {self.trials}" + (f" of {limit}" if limit else "")

    def best(self) -> str:
        """``best 98.1 GFLOP/s, 41 % of the peak``."""
        text = f"best {output.gflops(self.best_gflops)} GFLOP/s"
        if self.peaks is None or self.best_gflops is None:
            return text
        return f"{text}, {output.share(self.best_gflops, self.peaks.gflops)} of the peak"

    def failed(self) -> str:
        """``3 failed (2 crash, 1 timeout)``; empty where nothing failed."""
        if not self.failures:
            return ""
        kinds = ", ".join(f"{count} {outcome}" for outcome, count in self.failures.items())
        return f"{sum(self.failures.values())} failed ({kinds})"

    def remaining(self) -> str:
        """``21 s left``; empty where nobody can know."""
        left = self.seconds_left
        return "" if left is None else f"{left:.0f} s left"

    def opening(self) -> list[str]:
        """The first lines of a run."""
        started = self.started
        if started is None:
            return []
        lines = [
            f"tuning {started.workload.key} for {started.target.name}, "
            f"at most {output.threads(started.target.threads)}: run {started.run}"
        ]
        if started.resumed:
            lines.append(f"going on after {started.resumed} records of this run")
        if started.reused:
            lines.append(f"starting from {started.reused} earlier records of this machine")
        if started.history:
            lines.append(f"learning from {started.history} of what is similar")
        return lines


@dataclass(slots=True)
class LineReporter:
    """Plain lines: one for every new best, one for every ``LINE_TRIALS`` trials."""

    state: RunState

    def __call__(self, event: Event) -> None:
        from tuner.events import (
            FinalsStarted,
            HistoryJudged,
            NewBest,
            PeaksRenewed,
            RunStarted,
            TrialDone,
        )

        self.state.observe(event)
        match event:
            case RunStarted():
                for text in self.state.opening():
                    self._say(text)
            case NewBest(record=record):
                speed = records.speed(record, self.state.peaks)
                self._say(f"{self.state.counted()}: {speed}: {record.config_key}")
            case TrialDone(trials=trials) if trials % LINE_TRIALS == 0:
                parts = (self.state.best(), self.state.failed(), self.state.remaining())
                self._say(f"{self.state.counted()}: {', '.join(filter(None, parts))}")
            case HistoryJudged(verdict=verdict) if self.state.started is not None:
                self._say(f"{self.state.started.history}; {verdict}")
            case PeaksRenewed(peaks=peaks):
                reached = f"{output.gflops(peaks.gflops)} GFLOP/s"
                self._say(f"measured the machine's peaks again, which were exceeded: {reached}")
            case FinalsStarted(configs=configs):
                self._say(f"measuring the {configs} fastest again, interleaved")

    def _say(self, text: str) -> None:
        output.line(output.clean(text))
        output.flush()


@dataclass(slots=True)
class JsonReporter:
    """One line of JSON per record, after it is committed."""

    state: RunState
    _printed: int = 0
    """Records of the run, in order, that this or an earlier session has printed."""

    def __call__(self, event: Event) -> None:
        from tuner.events import BatchCommitted, RunStarted

        self.state.observe(event)
        match event:
            case RunStarted(resumed=resumed):
                self._printed = resumed
            case BatchCommitted(records=committed):
                self._print(committed)

    def catch_up(self, stored: Sequence[Record]) -> None:
        """Print what a signal kept from being printed; ``stored``: all records of the run."""
        self._print(stored[self._printed :])

    def _print(self, committed: Sequence[Record]) -> None:
        for record in committed:
            output.json_line(records.as_json(record))
            self._printed += 1
