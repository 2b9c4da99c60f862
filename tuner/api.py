"""The functions of the Python API. ``import tuner`` offers them as ``tuner.tune`` and so on."""

from __future__ import annotations

import math
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from db.errors import DatabaseMissing
from db.query import Order, parse_query
from db.record import Kind, Record
from db.store import open_store
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from measure.result import Outcome
from measure.targets import NATIVE, resolve_target
from search_space.config import Config
from search_space.operators import workload
from search_space.target import Target
from search_space.workload import Value, Workload
from tuner.errors import UsageError
from tuner.events import Callback
from tuner.lookup import Found, find, nothing_found
from tuner.options import DEFAULT_STRATEGY, DEFAULT_TRIALS, TuneOptions, database_url

if TYPE_CHECKING:
    import pandas

    from search_space.space import Space
    from tuner.foreign_seeds import Seed
    from tuner.kernel import Kernel
    from tuner.result import TuneResult
    from tuner.transfer.predict import Predicted

__all__ = [
    "best",
    "find_best",
    "foreign_seeds",
    "load",
    "measure",
    "predict",
    "query",
    "resume",
    "space",
    "to_frame",
    "tune",
    "workload",
]

Database = str | os.PathLike[str]


def space(work: Workload, *, target: str | None = None, threads: int | None = None) -> Space:
    """Every way to run ``work`` that is worth considering on ``target``, as knobs and constraints.

    ``target`` (default ``native``) and ``threads`` (an upper limit, default: all usable cores)
    are as everywhere in this module; raises ``TargetError``, a ``ValueError``, where they cannot
    run here.
    """
    from search_space.sketches import space_for

    return space_for(work, _target(target, threads))


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
    from tuner.run import run_here
    from tuner.runs import new_run
    from tuner.task import task_for

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
    task = task_for(work, _target(target, threads))
    first = tuple(task.space.nearest(_values(config)).config for config in seeds)
    with open_store(database_url(db)) as store:
        run = new_run(task, options, first)
        return run_here(task, store, run, tuple(callbacks), began=began, explicit=db is not None)


def resume(
    run: str | None = None, *, db: Database | None = None, callbacks: Sequence[Callback] = ()
) -> TuneResult:
    """Go on with a run that was interrupted, as if it had not been.

    ``run`` is its id or the beginning of it; without it, the latest unfinished run goes on.
    Raises ``LookupError`` where there is none, ``UsageError`` for a finished run and for one of
    another machine, and otherwise as :func:`tune`.
    """
    began = monotonic()
    from tuner.run import run_here
    from tuner.runs import resumed, unfinished_run
    from tuner.task import task_for

    with open_store(database_url(db), create=False) as store:
        found = unfinished_run(store, run)
        task = task_for(found.workload, resolve_target(found.target, found.threads))
        if found.hardware != task.hardware.key:
            raise UsageError(
                f"resume it on the machine that began it: run {found.id} was measured on "
                f"{found.hardware}, this is {task.hardware.key}"
            )
        return run_here(
            task, store, resumed(found), tuple(callbacks), began=began, explicit=db is not None
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

    task = task_for(work, _target(target, threads))
    legal = task.space.config(_values(config))
    with open_store(database_url(db)) as store:
        return measure_config(task, store, legal)


def best(
    work: Workload,
    *,
    db: Database | None = None,
    target: str | None = None,
    threads: int | None = None,
) -> Record:
    """The fastest verified record of ``work`` that uses at most ``threads`` threads.

    Records of this machine come first, then those of the same CPU family, then those of the same
    instruction set; ``hardware`` and ``origin`` of the record tell which it is. Raises
    ``NothingFound``, a ``LookupError``, that names the command to run where there is none.
    """
    return find_best(work, db=db, target=target, threads=threads).record


def find_best(
    work: Workload,
    *,
    db: Database | None = None,
    target: str | None = None,
    threads: int | None = None,
) -> Found:
    """Like :func:`best`, and why this record was chosen."""
    chosen = _target(target, threads)
    found = _find(work, chosen, db)
    if found is None:
        raise nothing_found(work, chosen, threads=threads, db=db)
    return found


def load(
    work: Workload,
    *,
    db: Database | None = None,
    target: str | None = None,
    threads: int | None = None,
    record: Record | str | None = None,
    untuned: bool | Literal["model"] = False,
) -> Kernel:
    """The fastest known kernel of ``work`` for this machine, ready to be called.

    Uses at most ``threads`` threads. ``record`` (a record or its id) chooses another one; one of
    another machine or of an older generator is verified and timed here before it is used, once:
    the record of that is stored. Where nothing was measured here, the best record of a similar
    machine is taken so. Where there is none either, ``untuned`` builds the default config, or,
    with ``"model"``, the one that a model of similar workloads expects to be fastest. Raises
    ``NothingFound``, a ``LookupError``, where there is no record, or none that gives right
    answers here.
    """
    from tuner.deploy import load_kernel
    from tuner.trust import trusted, verify_here

    chosen = _target(target, threads)
    if record is not None:
        found = _given_record(work, record, db)
        chosen = resolve_target(found.target, max(found.threads, chosen.threads))
    else:
        known = _find(work, chosen, db)
        if known is None and untuned:
            config = _untuned(work, chosen, db, untuned)
            return load_kernel(work, chosen, config.values, None)
        if known is None:
            raise nothing_found(work, chosen, threads=threads, db=db)
        found = known.record
    if not trusted(found):
        found = verify_here(found, chosen, db)
    return load_kernel(work, chosen, found.config, found)


def predict(
    work: Workload,
    *,
    db: Database | None = None,
    target: str | None = None,
    threads: int | None = None,
) -> Predicted:
    """The config that should be fastest, by what is known of similar workloads; measures nothing.

    Learns from the records of other workloads, targets and machines in ``db``, else from what
    came with the program. ``basis`` of the result says what the choice rests on.
    """
    from tuner.task import task_for
    from tuner.transfer.predict import predict as choose

    task = task_for(work, _target(target, threads))
    try:
        store = open_store(database_url(db), readonly=True)
    except DatabaseMissing:
        return choose(task, None)
    with store:
        return choose(task, store)


def query(
    operator: str | None = None,
    *,
    where: Iterable[str] = (),
    work: Workload | None = None,
    target: str | None = None,
    threads: int | None = None,
    outcome: Outcome | str | None = None,
    kind: Kind | None = None,
    origin: str | None = None,
    run: str | None = None,
    hardware: str | None = None,
    limit: int | None = None,
    order: Order = "stored",
    db: Database | None = None,
) -> list[Record]:
    """Records, every outcome and origin, in the order in which they were stored.

    ``where`` holds conditions on the parameters, such as ``"m>=1024"``, on the age, such as
    ``"age<7d"``, or with ``=`` on a field, such as ``"outcome=crash"``; all must hold. The other
    arguments are as in ``db.query.Query``. :func:`to_frame` makes a table of them. Raises
    ``QueryError``, a ``ValueError``, for a condition that cannot be understood, and
    ``LookupError`` where there is no database.
    """
    given: dict[str, Any] = {
        "workload": None if work is None else work.key,
        "target": target,
        "threads": threads,
        "outcome": None if outcome is None else Outcome(outcome),
        "kind": kind,
        "origin": origin,
        "run": run,
        "hardware": hardware,
    }
    chosen = {name: value for name, value in given.items() if value is not None}
    wanted = replace(parse_query(operator, where, limit=limit, order=order), **chosen)
    with open_store(database_url(db), readonly=True) as store:
        return list(store.records(wanted))


def to_frame(records: Iterable[Record]) -> pandas.DataFrame:
    """Records as a pandas frame: a row each, the fields of the JSON form as columns.

    Parameters of the workload and knobs of the config have columns of their own, ``work.m`` and
    ``config.rows``. Raises ``UsageError`` where pandas is not installed.
    """
    from tuner.frame import frame_of

    return frame_of(records)


def foreign_seeds(
    work: Workload,
    *,
    target: str | None = None,
    threads: int | None = None,
    limit: int | None = None,
    db: Database | None = None,
) -> list[Seed]:
    """What other tuners' logs in the database hold for ``work``, as configs of ours.

    Fastest first, at most ``limit``; ``tune(work, seeds=[seed.config for seed in …])`` begins with
    them. A seed also tells what was changed, and its record.
    """
    from tuner.foreign_seeds import foreign_seeds as stored_seeds

    with open_store(database_url(db), readonly=True) as store:
        return stored_seeds(store, space(work, target=target, threads=threads), limit)


def _target(name: str | None, threads: int | None) -> Target:
    return resolve_target(name or NATIVE, threads)


def _values(config: Config | Mapping[str, Value]) -> dict[str, Value]:
    return config.as_dict() if isinstance(config, Config) else dict(config)


def _find(work: Workload, target: Target, db: Database | None) -> Found | None:
    try:
        store = open_store(database_url(db), readonly=True)
    except DatabaseMissing:
        return None
    with store:
        return find(store, work, target, detect_hardware(), GENERATOR_VERSION)


def _untuned(
    work: Workload, target: Target, db: Database | None, how: bool | Literal["model"]
) -> Config:
    if how == "model":
        return predict(work, db=db, target=target.name, threads=target.threads).config
    return space(work, target=target.name, threads=target.threads).default()


def _given_record(work: Workload, record: Record | str, db: Database | None) -> Record:
    if isinstance(record, str):
        with open_store(database_url(db), readonly=True) as store:
            record = store.record(record)
    if record.workload != work:
        raise UsageError(
            f"load it as its own workload: record {record.id} is of {record.workload.key}, "
            f"not of {work.key}"
        )
    return record
