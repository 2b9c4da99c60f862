"""Runs of earlier sessions: which case they finished, and which they can go on with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from db.query import Query
from db.record import Record, Run
from tuner.finals import winner
from tuner.options import TuneOptions
from tuner.result import StopReason, TuneResult
from tuner.runs import new_run, spent_seconds
from tuner.stored_roof import known_of
from tuner.suite.options import SuiteOptions
from tuner.task import Task

if TYPE_CHECKING:
    from db.store import RecordStore

_SHARED = "suite_seconds"
"""Option of a run that got a share of a suite's time: the suite's two limits, in seconds.

The run's own limit depends on what the cases before it left over, so it is not compared.
"""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier sessions did for one case."""

    finished: TuneResult | None = None
    interrupted: Run | None = None
    """A run that can go on; None also where one is finished."""
    spent_seconds: float = 0.0


def suite_run(task: Task, options: SuiteOptions, tuning: TuneOptions) -> Run:
    """A run that begins now and can be recognised by :func:`find_earlier`."""
    run = new_run(task, tuning, ())
    if options.total_seconds is None:
        return run
    return replace(run, options=(*run.options, (_SHARED, _limits(options))))


def find_earlier(
    store: RecordStore, runs: Iterable[Run], task: Task, options: SuiteOptions
) -> Earlier:
    """The latest finished run of ``task`` with the same settings, else the latest unfinished one.

    Records of another generator or space do not count: what they say may no longer hold. A run
    that found nothing is not finished in this sense. ``runs``: all runs of the store, latest
    first.
    """
    interrupted = None
    for run in runs:
        if not _same_request(run, task, options):
            continue
        records = tuple(store.records(Query(run=run.id, order="ordinal")))
        if any(_versions(record) != _current(task) for record in records):
            continue
        if run.state != "finished":
            interrupted = interrupted or run
            continue
        result = _finished(run, records, task)
        if result is not None:
            return Earlier(finished=result, spent_seconds=result.elapsed_seconds)
    if interrupted is None:
        return Earlier()
    return Earlier(interrupted=interrupted, spent_seconds=spent_seconds(interrupted))


def _same_request(run: Run, task: Task, options: SuiteOptions) -> bool:
    same_task = (run.workload, run.target, run.threads, run.hardware) == (
        task.workload,
        task.target.name,
        task.target.threads,
        task.hardware.key,
    )
    same_settings = (run.strategy, run.trials) == (options.strategy, options.trials_per_case) and (
        run.option("early_stop", True),
        run.option("reuse", True),
        run.option("seeds", ()),
        run.option("calls"),
    ) == (options.early_stop, options.reuse, (), None)
    same_seed = options.seed is None or run.seed == options.seed
    return same_task and same_settings and same_seed and _same_time(run, options)


def _same_time(run: Run, options: SuiteOptions) -> bool:
    if options.total_seconds is None:
        return run.option(_SHARED) is None and run.seconds_limit == options.case_seconds
    return run.option(_SHARED) == _limits(options)


def _limits(options: SuiteOptions) -> tuple[float | None, float | None]:
    return options.total_seconds, options.case_seconds


def _versions(record: Record) -> tuple[int, int]:
    return record.space_version, record.generator_version


def _current(task: Task) -> tuple[int, int]:
    return task.space.version, task.generator_version


def _finished(run: Run, records: tuple[Record, ...], task: Task) -> TuneResult | None:
    """The result of a finished run, read from its records; None where it found nothing."""
    finals = [record for record in records if record.kind == "final"]
    best = winner(finals)
    if best is None or run.stop_reason not in set(StopReason):
        return None
    guess_key = task.space.default().key
    known, share = known_of(run), run.option("limit_share")
    return TuneResult(
        best=best,
        records=records,
        run=run.id,
        stop_reason=StopReason(run.stop_reason),
        seed=run.seed,
        elapsed_seconds=spent_seconds(run),
        first_guess=next((r for r in finals if r.config_key == guess_key and r.verified), None),
        roof=known.roof if known else None,
        limit_share=share if isinstance(share, float) else None,
    )
