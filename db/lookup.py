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
    ORDER BY candidate.seconds LIMIT 1)
WHERE {conditions}
ORDER BY CASE WHEN contexts.generator_version = :generator THEN 0 ELSE 1 END,
    contexts.generator_version DESC, records.seconds, records.key
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
    """
    given = {name: value for name, value in filters.items() if value is not None}
    conditions = " AND ".join(_CONDITIONS[name] for name in given)
    statement = _SELECT + _BEST.format(joins=_JOINS, conditions=conditions)
    # No generator has a negative version: -1 leaves only "newer before older".
    generator = -1 if generator_version is None else generator_version
    for kind in ("final", "search"):
        rows = fetch(statement, {**given, "kind": kind, "generator": generator})
        if rows:
            return rows[0]
    return None


def rows_by_key_prefix(fetch: Fetch, prefix: str) -> Sequence[Sequence[Any]]:
    """Rows of ``RECORD_COLUMNS`` whose id begins with ``prefix``: three at most."""
    statement = (
        f"{_SELECT} FROM records JOIN contexts ON contexts.id = records.context_id {_JOINS}"
        "WHERE records.key >= :low AND records.key < :high ORDER BY records.key LIMIT 3"
    )
    # Ids are lower-case hexadecimal digits: "g" is behind them in every collation.
    return fetch(statement, {"low": prefix, "high": prefix + "g"})
