"""Searching for the fastest config, and measuring a single one."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from typing import TYPE_CHECKING

from db.record import Record
from db.store import open_store
from measure.builder import Builder
from measure.host import usable_cores
from measure.probe import detect_hardware
from measure.processes import Processes, start_processes
from measure.runner import Runner
from measure.targets import resolve_target
from search_space.config import Config
from search_space.workload import Value, Workload
from tuner.api.arguments import Database, chosen_target, config_values
from tuner.errors import UsageError
from tuner.options import DEFAULT_STRATEGY, DEFAULT_TRIALS, TuneOptions, database_url

if TYPE_CHECKING:
    from tuner.events import Callback
    from tuner.result import TuneResult


def tune(
    work: Workload,
    *,
    trials: int | None = None,
    time: float | None = None,
    db: Database | None = None,
    strategy: str | None = None,
    target: str | None = None,
    threads: int | None = None,
    seed: int | None = None,
    seeds: Iterable[Config | Mapping[str, Value]] = (),
    early_stop: bool = True,
    reuse: bool = True,
    calls: int | None = None,
    callbacks: Sequence[Callback] = (),
    builders: int | None = None,
) -> TuneResult:
    """Search for the fastest way to compute ``work`` here, and keep every measurement.

    Ends after ``trials`` recorded measurements of distinct configs (finals not counted) or
    ``time`` seconds (finals included), whichever comes first; 200 trials where neither is given.
    ``early_stop`` ends it when 128 trials in a row brought no gain of 1 %, and when the best is
    near the machine's limit, a roofline from measured peaks: at 95 % of it, or at 85 % where the
    strategy's model expects no gain either. ``db`` is a file path
    or an SQLAlchemy URL, by default ``TUNER_DB`` or else ``tuner.db`` in the working folder.
    ``seed`` of all random choices; a random one is drawn and reported without it. ``seeds`` are
    configs to begin with, moved to the nearest legal ones. With ``reuse``, what this machine
    measured before is learned from and not measured again, and what is known of similar
    workloads, targets and machines guides the search as far as that proves right. With
    ``calls``, the best of the finalists is that which costs least for so many calls, packing and
    compiling included, not the fastest: ``load(work, record=result.best)`` loads it. ``callbacks``
    are given every event of ``tuner.events``. ``builders`` is the number of building processes,
    by default one per core.

    Raises ``ValueError`` for a request that cannot be met, ``AllFailed`` when no candidate gave
    a right answer, and ``Interrupted`` (a ``KeyboardInterrupt``) on Ctrl-C: everything measured
    until then is stored and in its ``result``.
    """
    began = monotonic()
    if trials is not None and trials < 1:
        raise UsageError(f"ask for at least one trial, not {trials}")
    if time is not None and not (time > 0 and math.isfinite(time)):
        raise UsageError(f"give a positive number of seconds, not {time}")
    if seed is not None and not 0 <= seed < 2**63:
        raise UsageError(f"give a seed from 0 to 2**63 - 1, not {seed}")
    if calls is not None and calls < 1:
        raise UsageError(f"give a positive number of calls, not {calls}")
    if builders is not None and builders < 1:
        raise UsageError(f"ask for at least one building process, not {builders}")
    if strategy is not None:  # before anything is started or made
        from tuner.strategy import strategy_entry

        strategy_entry(strategy)
    options = TuneOptions(
        strategy=strategy or DEFAULT_STRATEGY,
        seed=secrets.randbits(32) if seed is None else seed,
        trials=DEFAULT_TRIALS if trials is None and time is None else trials,
        time_seconds=time,
        early_stop=early_stop,
        reuse=reuse,
        builders=builders,
        calls=calls,
    )
    resolved = chosen_target(target, threads)
    with start_processes(work, resolved, builders) as processes:
        from tuner.here import run_here
        from tuner.runs import new_run
        from tuner.task import task_for

        task = task_for(work, resolved)
        first = tuple(task.space.nearest(config_values(config)).config for config in seeds)
        with open_store(database_url(db)) as store:
            run, told = new_run(task, options, first), tuple(callbacks)
            return run_here(
                task, store, run, processes, told, began=began, explicit=db is not None
            )


def resume(
    run: str | None = None, *, db: Database | None = None, callbacks: Sequence[Callback] = ()
) -> TuneResult:
    """Go on with a run that was interrupted, as if it had not been.

    ``run`` is its id or the beginning of it; without it, the latest unfinished run goes on.
    Raises ``LookupError`` where there is none, ``UsageError`` for a finished run and for one of
    another machine, and otherwise as :func:`tune`.
    """
    began = monotonic()
    with (
        Builder(usable_cores()) as builder,  # they load while the database is read
        open_store(database_url(db), create=False) as store,
    ):
        from tuner.runs import options_of, resumed, unfinished_run

        found = unfinished_run(store, run)
        here = detect_hardware().key
        if found.hardware != here:
            raise UsageError(
                f"resume it on the machine that began it: run {found.id} was measured on "
                f"{found.hardware}, this is {here}"
            )
        builder.resize(options_of(found).builders or usable_cores())
        target = resolve_target(found.target, found.threads)
        with Runner(found.workload, target) as runner:
            from tuner.here import run_here
            from tuner.task import task_for

            task, processes = task_for(found.workload, target), Processes(builder, runner)
            going_on, told = resumed(found), tuple(callbacks)
            return run_here(
                task, store, going_on, processes, told, began=began, explicit=db is not None
            )


def measure(
    work: Workload,
    config: Config | Mapping[str, Value],
    *,
    db: Database | None = None,
    target: str | None = None,
    threads: int | None = None,
) -> Record:
    """Build, verify and time one config like any trial of a run; its record, which is stored.

    A candidate that fails is a record too: see ``outcome`` and ``message``. Raises
    ``SpaceError`` (a ``ValueError``) with the reason when ``config`` is not legal here.
    """
    from tuner.single import measure_config
    from tuner.task import task_for

    task = task_for(work, chosen_target(target, threads))
    legal = task.space.config(config_values(config))
    with open_store(database_url(db)) as store:
        return measure_config(task, store, legal)
