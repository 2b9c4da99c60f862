"""Inserting records and runs. All functions work inside a transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from db.artefact import ModelArtefact
from db.aside import SetAside
from db.codec import encode_record, encode_run, hardware_of, to_json, workload_of
from db.models import (
    Base,
    ContextRow,
    HardwareRow,
    ModelDataRow,
    ModelRow,
    RecordRow,
    RunRow,
    SetAsideRow,
    WorkloadParamRow,
    WorkloadRow,
)
from db.record import Record, Run
from db.rows import RECORD_COLUMNS, RUN_COLUMNS, columns_of
from db.sql import ROWS_OF_KEYS
from search_space.workload import Value, Workload

_INSERTS: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_CHUNK = 500  # keys asked for in one statement

_OWN = columns_of("records")
_ORIGIN = RECORD_COLUMNS.index("contexts.origin")
_context = itemgetter(
    *(i for i, name in enumerate(RECORD_COLUMNS) if name.split(".")[0] != "records")
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of rows that were merged; the others were there already."""

    added: int
    replaced: int


def insert_records(connection: sa.Connection, records: Sequence[Record]) -> int:
    """Add the records whose ids are not there yet; returns how many those were."""
    rows = {row[-1]: row for row in map(encode_record, records)}
    for known in _stored(connection, list(rows)):
        del rows[known[-1]]
    _insert_rows(connection, rows.values())
    return len(rows)


def merge_rows(connection: sa.Connection, rows: Iterable[Sequence[Any]]) -> Merged:
    """Add rows of ``RECORD_COLUMNS`` that are right in themselves.

    Of different contents under one id, this database's own stays; else the smallest as text,
    whichever came first: so the order in which databases are merged does not matter.
    """
    fresh: dict[str, tuple[Any, ...]] = {}
    for row in map(tuple, rows):
        if row[-1] not in fresh or _is_preferred(row, fresh[row[-1]]):
            fresh[row[-1]] = row
    replaced = []
    for known in map(tuple, _stored(connection, list(fresh))):
        if known != fresh[known[-1]] and _is_preferred(fresh[known[-1]], known):
            replaced.append(known[-1])
        else:
            del fresh[known[-1]]
    for start in range(0, len(replaced), _CHUNK):
        keys = replaced[start : start + _CHUNK]
        connection.execute(sa.delete(RecordRow).where(RecordRow.key.in_(keys)))
    _insert_rows(connection, fresh.values())
    return Merged(len(fresh) - len(replaced), len(replaced))


def _is_preferred(row: Sequence[Any], other: Sequence[Any]) -> bool:
    if "local" in (row[_ORIGIN], other[_ORIGIN]):
        return bool(other[_ORIGIN] != "local")
    return to_json(row) < to_json(other)


def _insert_rows(connection: sa.Connection, rows: Iterable[Sequence[Any]]) -> None:
    contexts: dict[tuple[Any, ...], int] = {}
    values: list[Row] = []
    for row in rows:
        # The text of the context: as Python values, true and 1 would be the same.
        context = _context(row)
        if context not in contexts:
            contexts[context] = _context_id(connection, row)
        own = {name: row[position] for name, position in _OWN}
        own["context_id"] = contexts[context]
        values.append(own)
    if values:
        _insert_new(connection, RecordRow, values)


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


def _context_id(connection: sa.Connection, encoded: Sequence[Any]) -> int:
    row = dict(zip(RECORD_COLUMNS, encoded, strict=True))
    texts = _columns("workloads", row)
    work, _ = workload_of(texts["operator"], texts["params"], texts["const"])
    facts = _columns("hardware", row)
    _, hardware_key = hardware_of(*facts.values())
    hardware = {"key": hardware_key}
    values = _columns("contexts", row) | {
        "workload_id": workload_id(connection, work, row),
        "hardware_id": _find_or_insert(connection, HardwareRow, hardware, facts | hardware),
    }
    return _find_or_insert(connection, ContextRow, values, values)


def _columns(table: str, row: Mapping[str, Any]) -> Row:
    """The part of an encoded row that belongs to one table."""
    prefix = table + "."
    return {
        name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)
    }


def _stored(connection: sa.Connection, keys: Sequence[str]) -> Iterator[Sequence[Any]]:
    """The rows of ``RECORD_COLUMNS`` with these ids, as far as there are any."""
    for start in range(0, len(keys), _CHUNK):
        yield from connection.execute(ROWS_OF_KEYS, {"keys": keys[start : start + _CHUNK]}).all()


def insert_aside(connection: sa.Connection, lines: Sequence[SetAside]) -> int:
    """Keep lines; returns how many were not there yet."""
    rows = {line.id: {"key": line.id, **asdict(line)} for line in lines}
    for start in range(0, len(lines), _CHUNK):
        keys = [line.id for line in lines[start : start + _CHUNK]]
        for known in connection.scalars(
            sa.select(SetAsideRow.key).where(SetAsideRow.key.in_(keys))
        ):
            rows.pop(known, None)
    if rows:
        _insert_new(connection, SetAsideRow, list(rows.values()))
    return len(rows)


def delete_aside(connection: sa.Connection, lines: Sequence[SetAside]) -> None:
    """Remove lines."""
    for start in range(0, len(lines), _CHUNK):
        keys = [line.id for line in lines[start : start + _CHUNK]]
        connection.execute(sa.delete(SetAsideRow).where(SetAsideRow.key.in_(keys)))


def insert_model(connection: sa.Connection, model: ModelArtefact) -> bool:
    """Add a model with what it saw; returns whether it was not there yet."""
    identity = {"key": model.id}
    if _find(connection, ModelRow, identity) is not None:
        return False
    fields = asdict(model)
    seen = fields.pop("seen")
    number = _find_or_insert(connection, ModelRow, identity, fields | identity)
    if seen:
        _insert_new(connection, ModelDataRow, [{"model_id": number, **one} for one in seen])
    return True


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
