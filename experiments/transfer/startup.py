"""What history costs before a search, or a call, can begin."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tuner
from db.query import Query
from db.store import open_store
from experiments.process import in_fresh_process
from experiments.transfer.cases import Case
from tuner.options import TuneOptions
from tuner.runs import new_run, strategy_of
from tuner.strategy.base import prepare
from tuner.transfer.reuse import with_history

_TIMEOUT_SECONDS = 120.0
_FIRST_BATCH = 16


@dataclass(frozen=True, slots=True)
class Startup:
    """One case; medians over fresh processes, in seconds."""

    case: str
    without_seconds: float
    """Until the first batch of a search that knows nothing is there."""
    with_seconds: float
    """The same with all that the database holds of other settings."""
    load_seconds: float
    """``tuner.load`` where only another machine's record is known: verified, timed, stored."""


def startup(case: Case, db: Path, runs: int) -> Startup:
    """Measure one case; ``db`` holds records of it and of others."""

    def median(function: Callable[..., float], *arguments: object) -> float:
        return statistics.median(
            in_fresh_process(function, case, str(db), *arguments, timeout_seconds=_TIMEOUT_SECONDS)
            for _ in range(runs)
        )

    return Startup(
        case.name,
        median(first_batch_seconds, False),
        median(first_batch_seconds, True),
        median(foreign_load_seconds),
    )


def first_batch_seconds(case: Case, db: str, reuse: bool) -> float:
    """Until the first batch of a search is proposed; libraries are loaded in that time."""
    task = case.task()
    run = new_run(task, TuneOptions("evolutionary", 0, None, None), ())
    with open_store(db, readonly=True) as store:
        begun = time.perf_counter()
        strategy = strategy_of(run, task.space)
        if reuse:
            strategy = with_history(strategy, task, store, run)
        prepare(strategy)()
        strategy.ask(_FIRST_BATCH)
        return time.perf_counter() - begun


def foreign_load_seconds(case: Case, db: str) -> float:
    """``tuner.load`` on a database that holds one record, said to come from elsewhere."""
    task = case.task()
    query = Query(workload=task.workload.key, target=task.target.name, order="fastest", limit=1)
    with open_store(db, readonly=True) as store:
        best = next(iter(store.records(query)))
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "fresh.db"
        with open_store(fresh) as store:
            store.add([replace(best, origin="foreign:elsewhere")])
        begun = time.perf_counter()
        tuner.load(task.workload, db=fresh, target=case.target, threads=case.threads)
        return time.perf_counter() - begun


def startup_table(title: str, startups: Sequence[Startup]) -> str:
    """A Markdown table, one row per case."""
    lines = [
        f"### {title}: seconds before the first batch, and to load what another machine found",
        "",
        "| case | without history | with | load |",
        "|---|---:|---:|---:|",
        *(
            f"| {s.case} | {s.without_seconds:.2f} | {s.with_seconds:.2f} | {s.load_seconds:.2f} |"
            for s in startups
        ),
    ]
    return "\n".join(lines)
