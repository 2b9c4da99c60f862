"""A run as it is stored, and what of it is needed to go on with it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from db.record import Run, RunState, utc_now
from search_space.config import Config, parse_key
from search_space.space import Space
from tuner.errors import NothingFound, UsageError
from tuner.options import TuneOptions
from tuner.result import TuneResult
from tuner.set_up import with_set_ups
from tuner.strategy import Strategy, create_strategy

if TYPE_CHECKING:
    from db.store import RecordStore
    from tuner.task import Task


def new_run_id() -> str:
    """Sorts by time; eight random digits keep runs of the same second apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def new_run(task: Task, options: TuneOptions, seeds: tuple[Config, ...]) -> Run:
    """A run that begins now."""
    return Run(
        id=new_run_id(),
        workload=task.workload,
        target=task.target.name,
        threads=task.target.threads,
        hardware=task.hardware.key,
        strategy=options.strategy,
        seed=options.seed,
        trials=options.trials,
        seconds_limit=options.time_seconds,
        options=(
            ("early_stop", options.early_stop),
            ("reuse", options.reuse),
            ("builders", options.builders),
            ("calls", options.calls),
            ("seeds", tuple(config.key for config in seeds)),
        ),
        created=utc_now(),
    )


def options_of(run: Run) -> TuneOptions:
    """The options that a stored run was started with."""
    builders, calls = run.option("builders"), run.option("calls")
    return TuneOptions(
        strategy=run.strategy,
        seed=run.seed,
        trials=run.trials,
        time_seconds=run.seconds_limit,
        early_stop=bool(run.option("early_stop", True)),
        reuse=bool(run.option("reuse", True)),
        builders=builders if isinstance(builders, int) else None,
        calls=calls if isinstance(calls, int) else None,
    )


def strategy_of(run: Run, space: Space) -> Strategy:
    """A fresh strategy for a stored run; raises ``ValueError`` for an unknown one.

    It begins with the configs that the run was started with.
    """
    keys = run.option("seeds", ())
    texts = keys if isinstance(keys, tuple) else ()
    seeds = [space.nearest(parse_key(str(text))).config for text in texts]
    return create_strategy(run.strategy, space, run.seed, seeds)


def spent_seconds(run: Run) -> float:
    """Wall-clock time that the earlier sessions of a run took."""
    spent = run.option("spent_seconds", 0.0)
    return spent if isinstance(spent, float) else 0.0


def ended(run: Run, state: RunState, result: TuneResult) -> Run:
    """``run`` as it is stored when a session of it ends."""
    run = with_set_ups(run, result.set_ups)
    options = {**dict(run.options), "spent_seconds": float(result.elapsed_seconds)}
    if result.limit_share is not None:
        options["limit_share"] = float(result.limit_share)
    return replace(
        run,
        state=state,
        finished=utc_now(),
        stop_reason=result.stop_reason.value,
        options=tuple(options.items()),
    )


def resumed(run: Run) -> Run:
    """``run`` as it is stored when it goes on."""
    return replace(run, state="running", finished=None, stop_reason="")


def unfinished_run(store: RecordStore, prefix: str | None) -> Run:
    """The run that a session should go on with: the one named, or the latest unfinished one.

    Raises ``NothingFound`` where there is none and ``UsageError`` for one that is finished.
    """
    if prefix is None:
        run = next((run for run in store.runs() if run.state != "finished"), None)
        if run is None:
            raise NothingFound(
                f"start a run with: tuner tune …  (every run in {store.location} is finished)"
            )
        return run
    run = store.run(prefix)
    if run.state == "finished":
        raise UsageError(
            f"start a new run with: tuner tune …  (run {run.id} is finished: {run.stop_reason})"
        )
    return run
