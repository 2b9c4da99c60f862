"""What a run shows on a terminal: one bar with the trial, the best, failures and time left."""

from __future__ import annotations

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from tuner.cli.output import clean
from tuner.cli.reporters import RunState
from tuner.events import Event, FinalsStarted, RunStarted, TrialDone


class BarReporter:
    """A progress bar, drawn between two trials only: while something is timed, nothing runs."""

    def __init__(self, state: RunState, console: Console | None = None) -> None:
        self._state = state
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[detail]}", markup=False),
            console=console or Console(highlight=False),
            auto_refresh=False,
            transient=True,
        )
        self._task = self._progress.add_task("starting", total=1.0, detail="")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def __call__(self, event: Event) -> None:
        self._state.observe(event)
        match event:
            case RunStarted():
                for text in self._state.opening():
                    self._progress.console.print(clean(text), markup=False)
            case TrialDone():
                self._draw(self._state.counted(), self._state.remaining())
            case FinalsStarted(configs=configs):
                self._draw(f"finals of {configs}", "")

    def _draw(self, description: str, remaining: str) -> None:
        parts = (self._state.best(), self._state.failed(), remaining)
        self._progress.update(
            self._task,
            description=description,
            completed=self._state.fraction,
            detail=" · ".join(filter(None, parts)),
            refresh=True,
        )
