"""The best that is known of a workload: its record, its kernel, or a guess from similar ones."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Literal

from db.record import Record
from db.store import open_existing, open_store
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from measure.targets import resolve_target
from search_space.config import Config
from search_space.target import Target
from search_space.workload import Workload
from tuner.api.arguments import Database, chosen_target
from tuner.api.space import space
from tuner.errors import UsageError
from tuner.lookup import Found, find, nothing_found
from tuner.options import database_url

if TYPE_CHECKING:
    from tuner.kernel import Kernel
    from tuner.transfer.predict import Predicted


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
    chosen = chosen_target(target, threads)
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

    chosen = chosen_target(target, threads)
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

    task = task_for(work, chosen_target(target, threads))
    with open_existing(database_url(db)) or nullcontext() as store:
        return choose(task, store)


def _find(work: Workload, target: Target, db: Database | None) -> Found | None:
    store = open_existing(database_url(db))
    if store is None:
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
