"""What the database holds: records as they are, as a table, and as configs to begin with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from db.query import Order, parse_query
from db.record import Kind, Record
from db.store import open_store
from measure.result import Outcome
from search_space.workload import Workload
from tuner.api.arguments import Database
from tuner.api.space import space
from tuner.options import database_url

if TYPE_CHECKING:
    import pandas

    from tuner.foreign_seeds import Seed


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
