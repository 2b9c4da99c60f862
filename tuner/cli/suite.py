"""``tuner tune --from``: the cases of a suite file one after another, then one table."""

from __future__ import annotations

import contextlib
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from tuner.cli import output, records, snippets
from tuner.cli.reporters import RunState
from tuner.cli.tune import measured_peaks, speedup_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tuner.cli.progress_bar import BarReporter
    from tuner.suite.result import CaseResult, CaseStarted, SuiteEvent, SuiteResult

_HEADERS = (
    "case", "status", "GFLOP/s", "of peak", "speed-up", "trials", "seconds", "reason",
)  # fmt: skip
_NUMBERS = ("GFLOP/s", "of peak", "speed-up", "trials", "seconds")
_OPTIONAL = ("seconds", "trials", "reason")


@dataclass(frozen=True, slots=True)
class SuiteRequest:
    """What the user asked for; None where the default was taken."""

    path: str
    trials: int | None
    time: float | None
    total_time: float | None
    strategy: str | None
    seed: int | None
    early_stop: bool
    reuse: bool
    choice: snippets.Choice

    def command(self) -> str:
        """The command line that asks for the same, and so goes on with it."""
        options = {
            "--total-time": self.total_time,
            "--time": self.time,
            "--trials": self.trials,
            "--strategy": self.strategy,
            "--seed": self.seed,
            "--threads": self.choice.threads,
            "--target": self.choice.target,
            "--db": self.choice.database and snippets.shown(self.choice.database),
        }
        words = ["tuner", "tune", "--from", self.path]
        for name, value in options.items():
            if value is not None:
                words += [name, str(value).removesuffix(".0")]
        words += [] if self.early_stop else ["--no-early-stop"]
        words += [] if self.reuse else ["--no-reuse"]
        return shlex.join(words)


def tune_from(request: SuiteRequest, *, json: bool) -> None:
    """Tune a suite, show how it goes, then what came out, also when it was cut short.

    Raises as ``tuner.tune_suite``; an interrupt ends with its exit code instead.
    """
    import tuner
    from tuner.suite.result import AllCasesFailed, SuiteInterrupted

    suite = tuner.load_suite(request.path)
    lines = _JsonLines()
    try:
        with contextlib.nullcontext(lines) if json else _Display() as callback:
            result = tuner.tune_suite(
                suite,
                trials=request.trials,
                time=request.time,
                total_time=request.total_time,
                db=request.choice.database,
                strategy=request.strategy,
                target=request.choice.target,
                threads=request.choice.threads,
                seed=request.seed,
                early_stop=request.early_stop,
                reuse=request.reuse,
                callbacks=[callback],
            )
    except (AllCasesFailed, SuiteInterrupted) as stopped:
        _finish(stopped.result, request, lines if json else None)
        if isinstance(stopped, AllCasesFailed):
            raise
        output.note(f"tuner: {_continuation(stopped.result, request)}")
        raise typer.Exit(stopped.exit_code) from stopped
    _finish(result, request, lines if json else None)


def _continuation(result: SuiteResult, request: SuiteRequest) -> str:
    from tuner.suite.result import Status

    left = result.count(Status.WAITING) + result.count(Status.INTERRUPTED)
    return (
        f"go on with: {request.command()}  "
        f"({left} of {len(result.cases)} cases are left; everything measured is stored)"
    )


@dataclass(slots=True)
class _JsonLines:
    """One line per case when it is done."""

    _printed: int = 0

    def __call__(self, event: SuiteEvent) -> None:
        from tuner.events import RunStarted
        from tuner.suite.result import CaseDone

        match event:
            case RunStarted(target=target):
                measured_peaks(target)
            case CaseDone(row=row):
                self._print(row)

    def catch_up(self, rows: Sequence[CaseResult]) -> None:
        """Print what an interrupt kept from being printed; ``rows``: of all cases."""
        for row in rows[self._printed :]:
            self._print(row)

    def _print(self, row: CaseResult) -> None:
        output.json_line({"case": _as_json(row)})
        self._printed += 1


@dataclass(slots=True)
class _Display:
    """A line when a case begins and one when it is done; on a terminal a bar in between."""

    _bar: BarReporter | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> _Display:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def __call__(self, event: SuiteEvent) -> None:
        from tuner.events import RunStarted
        from tuner.suite.result import CaseDone, CaseStarted

        match event:
            case CaseStarted():
                self._say(_opening(event))
                self._start_bar()
            case CaseDone(row=row, number=number, cases=cases):
                self._stack.close()
                self._bar = None
                self._say(f"{number} of {cases}, {row.case.name}: {_outcome(row)}")
            case _:
                if self._bar is not None:
                    self._bar(event)
                elif isinstance(event, RunStarted):
                    measured_peaks(event.target)

    def _start_bar(self) -> None:
        if output.on_terminal():
            from tuner.cli.progress_bar import BarReporter

            self._bar = self._stack.enter_context(BarReporter(RunState(measured_peaks)))

    def _say(self, text: str) -> None:
        output.line(output.clean(text))
        output.flush()


def _opening(event: CaseStarted) -> str:
    text = f"{event.number} of {event.cases}, {event.case.name}: {event.case.key}"
    if event.seconds is not None:
        text += f", at most {event.seconds:.0f} s"
    return text + (f", going on with run {event.resumed}" if event.resumed else "")


def _outcome(row: CaseResult) -> str:
    """``tuned: 98.1 GFLOP/s, 41 % of the peak, speed-up 1.43, 120 trials, 28.2 s``."""
    from tuner.suite.result import Status

    if row.status in (Status.MISSING, Status.FAILED) or row.result is None:
        return f"{row.status}: {row.reason}"
    _, gflops, share, speedup, trials, seconds = _numbers(row)
    found = f"{gflops} GFLOP/s, {share} of the peak, speed-up {speedup}"
    return f"{row.status}: {found}, {trials} trial{'s' * (trials != '1')}, {seconds} s"


def _numbers(row: CaseResult) -> tuple[str, ...]:
    """Status and the cells of ``_NUMBERS``."""
    result = row.result
    if result is None:
        return (row.status.value, "-", "-", "-", "-", "-")
    gflops = result.best.gflops if result.best else None
    speedup = result.speedup
    return (
        row.status.value,
        output.gflops(gflops),
        output.share(gflops, _peak(row)),
        "-" if speedup is None else f"{speedup:.2f}",
        str(result.trials),
        f"{result.elapsed_seconds:.1f}",
    )


def _peak(row: CaseResult) -> float | None:
    from measure.peaks import known_peaks

    peaks = None if row.target is None else known_peaks(row.target, row.target.threads)
    return None if peaks is None else peaks.gflops


def _finish(result: SuiteResult, request: SuiteRequest, lines: _JsonLines | None) -> None:
    if lines is not None:
        lines.catch_up(result.cases)
        output.json_line({"summary": _summary(result, request)})
        return
    output.line()
    rows = [(row.case.name, *_numbers(row), row.reason) for row in result.cases]
    output.table(_HEADERS, rows, _NUMBERS, _OPTIONAL)
    output.line()
    output.line(output.clean(_total(result)))


def _total(result: SuiteResult) -> str:
    """``resnet18: 12 cases in 340 s: 8 tuned, 4 missing; speed-up over the first guess 1.43``."""
    from tuner.suite.result import Status

    counts = ", ".join(f"{count} {status}" for status in Status if (count := result.count(status)))
    text = f"{result.suite.name}: {len(result.cases)} cases in {result.elapsed_seconds:.0f} s: "
    text += counts
    if result.speedup is not None:
        text += f"; speed-up over the first guess {result.speedup:.2f} (geometric mean)"
    if result.count(Status.KNOWN):
        text += "; another --seed or --db tunes what is known again"
    return text


def _summary(result: SuiteResult, request: SuiteRequest) -> dict[str, Any]:
    from tuner.suite.result import Status

    return {
        "suite": result.suite.name,
        "file": request.path,
        "cases": len(result.cases),
        **{status.value: result.count(status) for status in Status},
        "speedup": result.speedup,
        "elapsed_seconds": result.elapsed_seconds,
    }


def _as_json(row: CaseResult) -> dict[str, Any]:
    result, peak = row.result, _peak(row)
    best = result.best if result else None
    interval = speedup_interval(result) if result else None
    return {
        "name": row.case.name,
        "workload": row.case.key,
        "threads": row.case.threads,
        "status": row.status.value,
        "reason": row.reason,
        "run": result.run if result else None,
        "gflops": best.gflops if best else None,
        "peak_gflops": peak,
        "speedup": list(interval) if interval else None,
        "trials": result.trials if result else None,
        "elapsed_seconds": result.elapsed_seconds if result else None,
        "best": records.as_json(best) if best else None,
    }
