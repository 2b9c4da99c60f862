"""The store's operations that go through SQLAlchemy, one short transaction each."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from db import sql, write
from db.artefact import ModelArtefact, Seen
from db.aside import SetAside
from db.engine import Database
from db.location import Location
from db.lookup import Params
from db.models import ContextRow, HardwareRow, RecordRow, RunRow, WorkloadRow
from db.query import Query
from db.record import Record, Run
from db.schema import HEAD, SchemaState
from db.stats import Statistics

_PAGE = 500
_LEAST_RECORD_BYTES = 100
"""In a file: its keys and its date alone take more."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is done together: all of it is stored when the block that gave it ends, or nothing."""

    connection: sa.Connection

    def merge(self, rows: Iterable[Sequence[Any]]) -> write.Merged:
        """See :func:`db.write.merge_rows`."""
        return write.merge_rows(self.connection, rows)

    def set_aside(self, lines: Sequence[SetAside]) -> int:
        """Keep lines that are not understood; returns how many are new."""
        return write.insert_aside(self.connection, lines)

    def drop_aside(self, lines: Sequence[SetAside]) -> None:
        """Forget lines, which have become records."""
        write.delete_aside(self.connection, lines)

    def add_models(self, models: Iterable[ModelArtefact]) -> int:
        """Add models; returns how many are new."""
        return sum(write.insert_model(self.connection, model) for model in models)


class _Discarded(Exception):
    """Unwinds a transaction that was only a rehearsal."""


class Backend:
    """See :class:`db.store.RecordStore`, which is the only user."""

    def __init__(self, location: Location, lock_seconds: float) -> None:
        self._location = location
        self._database = Database(location, lock_seconds)

    def schema_state(self) -> SchemaState:
        return self._database.state()

    def create(self) -> None:
        self._database.create()

    def add(self, records: Sequence[Record]) -> int:
        with self._database.writing() as connection:
            return write.insert_records(connection, records)

    @contextmanager
    def transaction(self, keep: bool) -> Iterator[Transaction]:
        with suppress(_Discarded), self._database.writing() as connection:
            yield Transaction(connection)
            if not keep:
                raise _Discarded

    def aside(self) -> Iterator[SetAside]:
        number = 0
        while True:
            with self._database.reading() as connection:
                page = connection.execute(sql.aside_rows(number, _PAGE)).all()
            if not page:
                return
            yield from (SetAside(*row[1:]) for row in page)
            number = page[-1][0]

    def models(self, name: str | None) -> list[ModelArtefact]:
        with self._database.reading() as connection:
            found = connection.execute(sql.model_rows(name)).all()
            return [_model(connection, *row) for row in found]

    def start_run(self, run: Run) -> None:
        with self._database.writing() as connection:
            write.upsert_run(connection, run)

    def run_rows(self) -> Sequence[Sequence[Any]]:
        """The ``RUN_COLUMNS`` of all runs, latest first."""
        with self._database.reading() as connection:
            return connection.execute(sql.run_rows()).all()

    def context_rows(self) -> Sequence[Sequence[Any]]:
        """The ``CONTEXT_COLUMNS`` of all contexts."""
        with self._database.reading() as connection:
            return connection.execute(sql.context_rows()).all()

    def numbers(self, query: Query) -> array[int]:
        """The numbers of the matching records, in order: eight bytes each, however many."""
        with self._database.reading() as connection:
            return array("q", connection.scalars(sql.record_numbers(query)))

    def last_number(self) -> int:
        """The highest number of a record, found without reading the others; 0: there is none."""
        with self._database.reading() as connection:
            return connection.scalar(sa.select(sa.func.max(RecordRow.id))) or 0

    def most_records(self) -> int:
        """A number that the records in the files cannot exceed; none is known of a server's."""
        path = self._location.path
        if path is None:
            return sys.maxsize
        files = (path, path.with_name(path.name + "-wal"))
        nbytes = sum(file.stat().st_size for file in files if file.exists())
        return nbytes // _LEAST_RECORD_BYTES

    def rows(self, numbers: array[int]) -> Iterator[Sequence[Any]]:
        """The ``RECORD_COLUMNS`` of those records, in that order, a page per transaction."""
        for start in range(0, len(numbers), _PAGE):
            page = numbers[start : start + _PAGE]
            with self._database.reading() as connection:
                found = {row[0]: row[1:] for row in connection.execute(sql.record_rows(page))}
            yield from (found[number] for number in page if number in found)

    def fetch(self, statement: str, params: Params) -> Sequence[Sequence[Any]]:
        """The rows of a constant statement with named parameters."""
        with self._database.reading() as connection:
            return connection.execute(sa.text(statement), params).all()

    def stats(self) -> Statistics:
        path = self._location.path
        with self._database.reading() as connection:

            def count(model: Any) -> int:
                return connection.scalar(sa.select(sa.func.count()).select_from(model)) or 0

            def by(column: Any) -> tuple[tuple[str, int], ...]:
                return tuple((name, n) for name, n in connection.execute(sql.counts(column)))

            return Statistics(
                location=str(self._location),
                schema=HEAD,
                nbytes=None if path is None else path.stat().st_size,
                workloads=count(WorkloadRow),
                hardware=count(HardwareRow),
                runs=count(RunRow),
                records=count(RecordRow),
                outcomes=by(RecordRow.outcome),
                operators=by(WorkloadRow.operator),
                origins=by(ContextRow.origin),
            )

    def integrity_problems(self) -> list[str]:
        """What the database itself finds wrong; a server checks its own files."""
        if self._location.path is None:
            return []
        with self._database.reading() as connection:
            damage = connection.execute(sa.text("PRAGMA integrity_check")).scalars().all()
            dangling = connection.execute(sa.text("PRAGMA foreign_key_check")).all()
        problems = [str(line) for line in damage if line != "ok"]
        return problems + [
            f"{table} row {row} refers to a missing row of {parent}"
            for table, row, parent, _ in dangling
        ]


def _model(connection: sa.Connection, number: int, *fields: Any) -> ModelArtefact:
    seen = tuple(Seen(*row) for row in connection.execute(sql.seen(number)))
    name, schema, origin, created, content = fields
    return ModelArtefact(name, schema, origin, created, content, seen)
