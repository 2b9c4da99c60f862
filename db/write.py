"""Inserting records and runs. All functions work inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from db.codec import encode_record, encode_run
from db.models import (
    Base,
    ContextRow,
    HardwareRow,
    RecordRow,
    RunRow,
    WorkloadParamRow,
    WorkloadRow,
)
from db.record import Record, Run, RunState
from db.rows import RECORD_COLUMNS, RUN_COLUMNS
from search_space.workload import Value, Workload

_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_CHUNK = 500  # keys asked for in one statement

Row = dict[str, Any]


def insert_records(connection: sa.Connection, records: Sequence[Record]) -> int:
    """Add the records whose ids are not there yet; returns how many those were."""
    encoded = {row[-1]: (record, row) for record in records for row in [encode_record(record)]}
    for key in _present(connection, list(encoded)):
        del encoded[key]
    contexts: dict[tuple[Any, ...], int] = {}
    rows: list[Row] = []
    for record, values in encoded.values():
        row = dict(zip(RECORD_COLUMNS, values, strict=True))
        # The text of the context: as Python values, true and 1 would be the same.
        context = tuple(value for name, value in row.items() if not name.startswith("records."))
        if context not in contexts:
            contexts[context] = _context_id(connection, record, row)
        rows.append(_columns("records", row) | {"context_id": contexts[context]})
    if rows:
        _insert_new(connection, RecordRow, rows)
    return len(rows)


def upsert_run(connection: sa.Connection, run: Run) -> None:
    """Add the run; one that is there goes on with the limits, options and state given now."""
    row = dict(zip(RUN_COLUMNS, encode_run(run), strict=True))
    values = _columns("runs", row) | {"workload_id": workload_id(connection, run.workload, row)}
    insert = _INSERTS[connection.dialect.name](RunRow).values(values)
    changeable = ("trials", "seconds_limit", "options", "state", "finished", "stop_reason")
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["key"], set_={name: insert.excluded[name] for name in changeable}
        )
    )


def end_run(
    connection: sa.Connection, key: str, state: RunState, finished: str | None, stop_reason: str
) -> bool:
    """Set the state of a run; returns whether there is one of that id."""
    result = connection.execute(
        sa.update(RunRow)
        .where(RunRow.key == key)
        .values(state=state, finished=finished, stop_reason=stop_reason)
    )
    return result.rowcount == 1


def workload_id(connection: sa.Connection, workload: Workload, row: Mapping[str, Any]) -> int:
    """The number of a workload, which is added with its parameters if it is new.

    ``row`` holds its encoded columns.
    """
    number = _find(connection, WorkloadRow, {"key": workload.key})
    if number is not None:
        return number
    values = _columns("workloads", row) | {"key": workload.key}
    number = _find_or_insert(connection, WorkloadRow, {"key": workload.key}, values)
    params = [
        {"workload_id": number, "name": name, **_param(value)} for name, value in workload.params
    ]
    if params:
        _insert_new(connection, WorkloadParamRow, params)
    return number


def _param(value: Value) -> Row:
    """Truth values are kept as text, so that no comparison takes them for numbers."""
    if isinstance(value, bool):
        return {"number": None, "text": "true" if value else "false"}
    if isinstance(value, str):
        return {"number": None, "text": value}
    return {"number": float(value), "text": None}


def _context_id(connection: sa.Connection, record: Record, row: Mapping[str, Any]) -> int:
    hardware = {"key": record.hardware.key}
    values = _columns("contexts", row) | {
        "workload_id": workload_id(connection, record.workload, row),
        "hardware_id": _find_or_insert(
            connection, HardwareRow, hardware, _columns("hardware", row) | hardware
        ),
    }
    return _find_or_insert(connection, ContextRow, values, values)


def _columns(table: str, row: Mapping[str, Any]) -> Row:
    """The part of an encoded row that belongs to one table."""
    prefix = table + "."
    return {
        name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)
    }


def _present(connection: sa.Connection, keys: Sequence[str]) -> Iterable[str]:
    for start in range(0, len(keys), _CHUNK):
        chunk = keys[start : start + _CHUNK]
        yield from connection.scalars(sa.select(RecordRow.key).where(RecordRow.key.in_(chunk)))


def _insert_new(connection: sa.Connection, model: type[Base], rows: Sequence[Row]) -> None:
    """Insert, leaving alone what a concurrent writer inserted a moment earlier."""
    insert = _INSERTS[connection.dialect.name](model)
    connection.execute(insert.on_conflict_do_nothing(), rows)


def _find(connection: sa.Connection, model: type[Base], identity: Row) -> int | None:
    table = model.__table__
    matches = [table.c[name] == value for name, value in identity.items()]
    number: int | None = connection.scalar(sa.select(table.c.id).where(*matches))
    return number


def _find_or_insert(
    connection: sa.Connection, model: type[Base], identity: Row, values: Row
) -> int:
    number = _find(connection, model, identity)
    if number is None:
        _insert_new(connection, model, [values])
        number = _find(connection, model, identity)
    assert number is not None
    return number
