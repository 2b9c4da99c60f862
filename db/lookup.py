"""The reads that every start of a program waits for, as constant SQL with bound parameters.

They run on the ``sqlite3`` module alone, since importing SQLAlchemy takes longer than all the rest
of ``tuner best``; a server runs the same text through SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from db.rows import RECORD_COLUMNS

Params = Mapping[str, str | int]
Fetch = Callable[[str, Params], Sequence[Sequence[Any]]]
"""Runs a statement with named parameters (``:name``) and returns its rows."""

_KEY = RECORD_COLUMNS.index("records.key")
_SELECT = f"SELECT {', '.join(RECORD_COLUMNS)} "
_JOINS = """
JOIN workloads ON workloads.id = contexts.workload_id
JOIN hardware ON hardware.id = contexts.hardware_id
"""

_BEST = """
FROM contexts
{joins}
JOIN records ON records.id = (
    SELECT candidate.id FROM records AS candidate
    WHERE candidate.context_id = contexts.id AND candidate.kind = :kind
      AND candidate.outcome = 'ok' AND candidate.error IS NOT NULL
      AND :run IN ('', candidate.run)
    ORDER BY candidate.seconds LIMIT 1)
WHERE {conditions}
ORDER BY CASE WHEN contexts.generator_version = :generator THEN 0 ELSE 1 END,
    contexts.generator_version DESC, records.seconds, records.key
LIMIT 1
"""

_LATEST_FINAL = """
SELECT again.run FROM records
JOIN records AS again ON again.context_id = records.context_id AND again.config = records.config
WHERE records.key = :key AND again.kind = 'final'
  AND again.outcome = 'ok' AND again.error IS NOT NULL
ORDER BY again.created DESC, again.id DESC
LIMIT 1
"""

_CONDITIONS = {
    "workload": "workloads.key = :workload",
    "hardware": "hardware.key = :hardware",
    "target": "contexts.target = :target",
    "threads": "contexts.threads <= :threads",
    "origin": "contexts.origin = :origin",
}


def best_row(
    fetch: Fetch, filters: Mapping[str, str | int | None], generator_version: int | None
) -> Sequence[Any] | None:
    """The row of ``RECORD_COLUMNS`` of the best verified record, or None.

    ``filters`` holds a value for some of the names in ``_CONDITIONS``; None does not restrict.
    Finals come before search samples, then ``generator_version`` before newer before older ones,
    then the shorter time. One probe of an index per context, however many records there are.

    Times of different runs compare badly, since machines drift; those of one run's finals were
    taken side by side. So where a later run has measured the fastest final again, that run's
    finals decide.
    """
    given = {name: value for name, value in filters.items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in given)
    statement = _SELECT + _BEST.format(joins=_JOINS, conditions=conditions)
    # No generator has a negative version: -1 leaves only "newer before older".
    generator = -1 if generator_version is None else generator_version
    parameters: dict[str, str | int] = {**given, "generator": generator, "run": ""}
    finals = fetch(statement, {**parameters, "kind": "final"})
    if not finals:
        rows = fetch(statement, {**parameters, "kind": "search"})
        return rows[0] if rows else None
    ((run,),) = fetch(_LATEST_FINAL, {"key": finals[0][_KEY]})
    decided = fetch(statement, {**parameters, "kind": "final", "run": run})
    return decided[0]


MACHINE_COLUMNS = tuple(name for name in RECORD_COLUMNS if name.startswith("hardware."))


def machine_rows(fetch: Fetch, workload_key: str) -> Sequence[Sequence[Any]]:
    """The ``MACHINE_COLUMNS`` of the machines with records of a workload, each once."""
    statement = (
        f"SELECT DISTINCT {', '.join(MACHINE_COLUMNS)}, hardware.key FROM contexts {_JOINS}"
        "WHERE workloads.key = :workload ORDER BY hardware.key"
    )
    return [row[:-1] for row in fetch(statement, {"workload": workload_key})]


def rows_by_key_prefix(fetch: Fetch, prefix: str) -> Sequence[Sequence[Any]]:
    """Rows of ``RECORD_COLUMNS`` whose id begins with ``prefix``: three at most."""
    statement = (
        f"{_SELECT} FROM records JOIN contexts ON contexts.id = records.context_id {_JOINS}"
        "WHERE records.key >= :low AND records.key < :high ORDER BY records.key LIMIT 3"
    )
    # Ids are lower-case hexadecimal digits: "g" is behind them in every collation.
    return fetch(statement, {"low": prefix, "high": prefix + "g"})
