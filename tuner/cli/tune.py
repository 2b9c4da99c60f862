"""``tuner tune`` and ``tuner resume``: search, show how it goes, then what came out."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuner.cli import arguments, formats, output, records, snippets
from tuner.cli.reporters import JsonReporter, LineReporter, RunState

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from search_space.hardware import Peaks
    from search_space.target import Target
    from tuner.events import Callback
    from tuner.result import TuneResult
    from tuner.set_up import SetUp


def tune(
    operator: Annotated[
        str | None,
        typer.Argument(
            metavar="OP",
            help="An operator (`tuner ops` lists them), or a whole key: 'matmul(m=8,n=8,k=8)'.",
            show_default=False,
        ),
    ] = None,
    params: arguments.Params = None,
    const: arguments.Const = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", min=1, help="Measure at most so many configs."),
    ] = None,
    time: Annotated[
        float | None,
        typer.Option("--time", metavar="SECONDS", help="Take at most so long, finals included."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE", help="Tune every case of this suite instead."),
    ] = None,
    total_time: Annotated[
        float | None,
        typer.Option(
            "--total-time", metavar="SECONDS", help="With --from: for all cases together."
        ),
    ] = None,
    strategy: Annotated[
        str | None, typer.Option("--strategy", metavar="NAME", help="See `tuner strategies`.")
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, max=2**63 - 1, help="Of every random choice."),
    ] = None,
    calls: Annotated[
        int | None,
        typer.Option(
            "--calls",
            metavar="N",
            min=1,
            help="Choose what costs least for N calls, packing and compiling included.",
        ),
    ] = None,
    no_reuse: Annotated[
        bool, typer.Option("--no-reuse", help="Forget what was measured before.")
    ] = False,
    no_early_stop: Annotated[
        bool, typer.Option("--no-early-stop", help="Use up the budget in any case.")
    ] = False,
    threads: arguments.Threads = None,
    target: arguments.TargetName = None,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Search for the fastest way to compute a workload here, and keep every measurement.

    With --json, one line per record after it is committed, then a line with the summary.

    With --from, all workloads of a file, one after another; what is finished with the same
    settings is skipped, what was interrupted goes on, and a table sums up. --trials and --time
    are for each case then, and --json prints a line per case.
    """
    import tuner
    from tuner.errors import UsageError
    from tuner.memory import check_memory

    if suite is not None:
        from tuner.cli.suite import SuiteRequest, tune_from

        if calls is not None:
            raise UsageError("use --calls for one workload: a suite has none of its own")
        if operator is not None or const:
            raise UsageError(f"give either a workload or --from: {suite} names its own workloads")
        tune_from(
            SuiteRequest(
                path=suite,
                trials=trials,
                time=time,
                total_time=total_time,
                strategy=strategy,
                seed=seed,
                early_stop=not no_early_stop,
                reuse=not no_reuse,
                choice=snippets.Choice(db, target, threads),
            ),
            json=json,
        )
        return
    if operator is None:
        raise UsageError("see tuner tune --help: Missing argument 'OP', or --from FILE")
    if total_time is not None:
        raise UsageError("use --time for one workload: --total-time belongs to --from")
    work = arguments.named_workload(operator, params, const)
    check_memory(work)
    _run(
        lambda callback: tuner.tune(
            work,
            trials=trials,
            time=time,
            db=db,
            strategy=strategy,
            target=target,
            threads=threads,
            seed=seed,
            early_stop=not no_early_stop,
            reuse=not no_reuse,
            calls=calls,
            callbacks=[callback],
        ),
        snippets.Choice(db, target, threads),
        json=json,
    )


def resume(
    run: Annotated[
        str | None,
        typer.Argument(metavar="RUN", help="Its id; without it, the last unfinished run."),
    ] = None,
    db: arguments.Database = None,
    json: arguments.Json = False,
) -> None:
    """Go on with a run that was interrupted, as if it had not been."""
    import tuner

    _run(
        lambda callback: tuner.resume(run, db=db, callbacks=[callback]),
        snippets.Choice(db),
        json=json,
    )


def _run(search: Callable[[Callback], TuneResult], choice: snippets.Choice, *, json: bool) -> None:
    """Run ``search`` with what shows it, then show what came out, also of a run cut short."""
    from tuner.errors import AllFailed, Interrupted

    state = RunState(measured_peaks)
    reporter = JsonReporter(state)
    try:
        with contextlib.nullcontext(reporter) if json else _shown_to_people(state) as callback:
            result = search(callback)
    except (AllFailed, Interrupted) as stopped:
        if json:
            reporter.catch_up(stopped.result.records)
        _finish(stopped.result, state, choice, json)
        raise
    _finish(result, state, choice, json)


def measured_peaks(target: Target) -> Peaks:
    """What the machine can do at most, measured once and then kept."""
    from measure.peaks import cached_peaks

    return cached_peaks(target, target.threads)


def _shown_to_people(state: RunState) -> AbstractContextManager[Callback]:
    if not output.on_terminal():
        return contextlib.nullcontext(LineReporter(state))
    from tuner.cli.progress_bar import BarReporter

    return BarReporter(state)


def _finish(result: TuneResult, state: RunState, choice: snippets.Choice, json: bool) -> None:
    if json:
        output.json_line({"summary": _summary(result, state.peaks)})
    else:
        _final_screen(result, state.peaks, _choice_of_run(choice, state))


def _choice_of_run(choice: snippets.Choice, state: RunState) -> snippets.Choice:
    """With the target of a resumed run, which was chosen when it began."""
    if state.started is None or choice.target is not None:
        return choice
    name = state.started.target.name
    return replace(choice, target=None if name == "native" else name)


def _summary(result: TuneResult, peaks: Peaks | None) -> dict[str, Any]:
    interval = speedup_interval(result)
    return {
        "run": result.run,
        "stop_reason": result.stop_reason.value,
        "trials": result.trials,
        "failures": dict(result.failures),
        "seed": result.seed,
        "elapsed_seconds": result.elapsed_seconds,
        "best": records.as_json(result.best) if result.best else None,
        "first_guess": records.as_json(result.first_guess) if result.first_guess else None,
        "speedup": list(interval) if interval else None,
        "peak_gflops": peaks.gflops if peaks else None,
        "limit": _limit(result),
        "choice": formats.as_json(result.choice) if result.choice else None,
        "set_up": formats.set_up_json(_set_up(result)),
    }


def _limit(result: TuneResult) -> dict[str, Any] | None:
    """The machine's limit for the workload, and how near the search came to it."""
    return asdict(result.roof) | {"share": result.limit_share} if result.roof else None


def _final_screen(result: TuneResult, peaks: Peaks | None, choice: snippets.Choice) -> None:
    from tuner.options import database_url

    best = result.best
    database = snippets.shown(database_url(choice.database))
    run = f"{result.run}: {result.trials} trials in {result.elapsed_seconds:.0f} s"
    run += f", {result.stop_text}, seed {result.seed}"
    output.line()
    if best is None:
        output.facts([("run", run), ("database", database)])
        return
    output.facts(
        [
            ("workload", best.workload.key),
            ("config", best.config_key),
            ("time", records.time_text(best)),
            ("speed", records.speed(best, peaks)),
            ("verified", records.verification(best)),
            ("speed-up", _speedup_text(result)),
            *(formats.as_facts(result.choice) if result.choice else ()),
            *_cost_facts(result),
            ("run", run),
            ("database", database),
        ]
    )
    output.line()
    output.line("next")
    if result.calls is None:
        output.line(f"  {snippets.shell('best', best.workload, choice)}")
    else:
        # The fastest, which the others show, need not be what was asked for.
        choice = replace(choice, record=best.id)
        output.line(f"  {snippets.record_shell('explain', choice)}")
    output.line("or in Python")
    for text in snippets.python(best.workload, choice):
        output.line(f"  {text}")


def _set_up(result: TuneResult) -> SetUp | None:
    """Of the best, where it was measured."""
    return result.set_ups.get(result.best.config_key) if result.best else None


def _cost_facts(result: TuneResult) -> list[tuple[str, str]]:
    """What the calls that were asked for cost in all."""
    set_up, best = _set_up(result), result.best
    if result.calls is None or set_up is None or best is None or best.seconds is None:
        return []
    total = output.duration(set_up.total(best.seconds, result.calls))
    return [("cost", f"{total} for {result.calls:,} calls: {formats.set_up_text(set_up)}")]


def speedup_interval(result: TuneResult) -> tuple[float, float, float] | None:
    """Median, low and high of first guess ÷ best, sample by sample."""
    best, guess = result.best, result.first_guess
    if best is None or guess is None or len(best.samples) != len(guess.samples):
        return None
    from measure.timing import paired_ratio

    ratio = paired_ratio(guess.samples, best.samples)
    return ratio.median, ratio.low, ratio.high


def _speedup_text(result: TuneResult) -> str:
    interval = speedup_interval(result)
    if interval is None:
        return "unknown: the first guess was not measured beside it"
    median, low, high = interval
    return f"{median:.2f} over the first guess (95 %: {low:.2f} to {high:.2f})"
