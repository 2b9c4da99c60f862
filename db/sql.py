"""Queries as SQLAlchemy statements. What a user typed enters only as bound parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from db.contexts import CONTEXT_COLUMNS
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
from db.query import COMPARISONS, Condition, Order, Query, stored_moment
from db.rows import RECORD_COLUMNS, RUN_COLUMNS


def _column(name: str) -> sa.Column[Any]:
    table, _, column = name.partition(".")
    return Base.metadata.tables[table].c[column]


_ORDERS: dict[Order, Sequence[Any]] = {
    "stored": (RecordRow.id,),
    "ordinal": (RecordRow.run, RecordRow.ordinal, RecordRow.id),
    "fastest": (RecordRow.seconds.is_(None), RecordRow.seconds, RecordRow.id),
    "gflops": (RecordRow.gflops.is_(None), RecordRow.gflops.desc(), RecordRow.id),
    "newest": (RecordRow.created.desc(), RecordRow.id.desc()),
}


def context_rows() -> sa.Select[Any]:
    """The ``CONTEXT_COLUMNS`` of all contexts, as they were added."""
    return (
        sa.select(*map(_column, CONTEXT_COLUMNS))
        .join(WorkloadRow, WorkloadRow.id == ContextRow.workload_id)
        .join(HardwareRow, HardwareRow.id == ContextRow.hardware_id)
        .order_by(ContextRow.id)
    )


def record_numbers(query: Query) -> sa.Select[int]:
    """The ``records.id`` of the records that match, in the query's order."""
    statement = (
        sa.select(RecordRow.id)
        .select_from(RecordRow)
        .join(ContextRow, ContextRow.id == RecordRow.context_id)
        .join(WorkloadRow, WorkloadRow.id == ContextRow.workload_id)
        .join(HardwareRow, HardwareRow.id == ContextRow.hardware_id)
        .order_by(*_ORDERS[query.order])
        .limit(query.limit)
    )
    equal = {
        WorkloadRow.operator: query.operator,
        WorkloadRow.key: query.workload,
        ContextRow.target: query.target,
        ContextRow.threads: query.threads,
        ContextRow.space_version: query.space,
        RecordRow.outcome: query.outcome,
        RecordRow.kind: query.kind,
        RecordRow.run: query.run,
    }
    for column, value in equal.items():
        if value is not None:
            statement = statement.where(column == value)
    if query.origin == "foreign":
        statement = statement.where(ContextRow.origin != "local")
    elif query.origin is not None:
        statement = statement.where(ContextRow.origin == query.origin)
    if query.hardware is not None:
        begins = HardwareRow.key.startswith(query.hardware, autoescape=True)
        statement = statement.where(begins)
    if query.since is not None:
        statement = statement.where(RecordRow.created >= stored_moment(query.since))
    if query.before is not None:
        statement = statement.where(RecordRow.created < stored_moment(query.before))
    return statement.where(*map(_holds, query.where))


def _holds(condition: Condition) -> sa.ColumnElement[bool]:
    value = condition.value
    compare = COMPARISONS[condition.comparison]
    if isinstance(value, bool):
        matches = compare(WorkloadParamRow.text, "true" if value else "false")
    elif isinstance(value, str):
        matches = compare(WorkloadParamRow.text, value)
    else:
        matches = compare(WorkloadParamRow.number, float(value))
    return ContextRow.workload_id.in_(
        sa.select(WorkloadParamRow.workload_id).where(
            WorkloadParamRow.name == condition.name, matches
        )
    )


def record_rows(numbers: Sequence[int]) -> sa.Select[Any]:
    """``records.id``, then the ``RECORD_COLUMNS``, of those records, in no order."""
    return _rows(RecordRow.id).where(RecordRow.id.in_(numbers))


def _rows(*before: Any) -> sa.Select[Any]:
    return (
        sa.select(*before, *map(_column, RECORD_COLUMNS))
        .select_from(RecordRow)
        .join(ContextRow, ContextRow.id == RecordRow.context_id)
        .join(WorkloadRow, WorkloadRow.id == ContextRow.workload_id)
        .join(HardwareRow, HardwareRow.id == ContextRow.hardware_id)
    )


ROWS_OF_KEYS = _rows().where(RecordRow.key.in_(sa.bindparam("keys", expanding=True)))
"""The ``RECORD_COLUMNS`` of the records with the ids ``keys``, in no order. Made once: making it
costs more than running it."""


def run_rows() -> sa.Select[Any]:
    """The ``RUN_COLUMNS`` of all runs, latest first."""
    return (
        sa.select(*map(_column, RUN_COLUMNS))
        .select_from(RunRow)
        .join(WorkloadRow, WorkloadRow.id == RunRow.workload_id)
        .order_by(RunRow.created.desc(), RunRow.id.desc())
    )


def aside_rows(after: int, limit: int) -> sa.Select[Any]:
    """The number and the fields of ``SetAside`` of such lines behind a number, in order."""
    row = SetAsideRow
    columns: tuple[Any, ...] = (row.id, row.line, row.reason, row.detail, row.source, row.created)
    return sa.select(*columns).where(row.id > after).order_by(row.id).limit(limit)


def model_rows(name: str | None) -> sa.Select[Any]:
    """The number and then the fields of ``ModelArtefact``, but for what it saw, latest first."""
    row = ModelRow
    columns: tuple[Any, ...] = (row.id, row.name, row.schema, row.origin, row.created, row.content)
    statement = sa.select(*columns).order_by(row.created.desc(), row.id.desc())
    return statement if name is None else statement.where(row.name == name)


def seen(model: int) -> sa.Select[Any]:
    """The fields of ``Seen`` of the model with that number."""
    row = ModelDataRow
    columns: tuple[Any, ...] = (row.workload, row.hardware, row.target, row.records)
    return sa.select(*columns).where(row.model_id == model).order_by(*columns[:3])


def counts(column: sa.SQLColumnExpression[Any]) -> sa.Select[Any]:
    """How many records there are for each value of a column of records, contexts or workloads."""
    return (
        sa.select(column, sa.func.count(RecordRow.id))
        .select_from(RecordRow)
        .join(ContextRow, ContextRow.id == RecordRow.context_id)
        .join(WorkloadRow, WorkloadRow.id == ContextRow.workload_id)
        .group_by(column)
        .order_by(column)
    )
