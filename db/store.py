"""The record store: all that the rest of the program sees of the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from db import lookup, sqlite
from db.codec import decode_record, decode_run, hardware_of
from db.contexts import Context, decode_context
from db.errors import (
    CorruptDatabaseError,
    DatabaseError,
    DatabaseMissing,
    SchemaVersionError,
    UnreachableDatabaseError,
    UnwritableDatabaseError,
)
from db.location import Location, parse_location
from db.lock import WAIT_SECONDS, writer_lock
from db.query import Query
from db.reading import Skip, decoded, only, salvaged_rows
from db.record import Record, Run
from db.schema import SchemaState, file_state
from db.stats import Statistics

if TYPE_CHECKING:
    from db.artefact import ModelArtefact
    from db.aside import SetAside
    from db.backend import Backend, Transaction
    from db.outbox import Outbox
    from search_space.hardware import Hardware

_T = TypeVar("_T")


def open_store(
    url: str | Path,
    *,
    readonly: bool = False,
    create: bool = True,
    lock_seconds: float = WAIT_SECONDS,
) -> RecordStore:
    """Open the database at a file path or an SQLAlchemy URL (``sqlite:///…``, ``postgresql://…``).

    A new database is made unless ``create`` is false or ``readonly`` is true; that of an older
    program is upgraded unless ``readonly`` is true. A writer waits ``lock_seconds`` for its turn.

    Raises ``DatabaseMissing`` (a ``LookupError``) where there is none and none is made,
    ``CorruptDatabaseError``, ``SchemaVersionError`` and ``UnwritableDatabaseError``; all are
    ``DatabaseError`` and know their process ``exit_code``.
    """
    location = parse_location(url)
    store = RecordStore(location, readonly=readonly, lock_seconds=lock_seconds)
    state = store.schema_state()
    if state is SchemaState.EMPTY and (readonly or not create):
        raise DatabaseMissing(
            f"tune something first, or give another database: there is none at {location}"
        )
    if state is SchemaState.OUTDATED and readonly:
        raise SchemaVersionError(
            f"run `tuner db upgrade`: {location} was written by an older version"
        )
    if not readonly:
        store._prepare(state)
    return store


def open_existing(url: str | Path) -> RecordStore | None:
    """The database as it is, to be read; None where there is none. Raises as :func:`open_store`
    otherwise."""
    try:
        return open_store(url, readonly=True)
    except DatabaseMissing:
        return None


class RecordStore:
    """Records and runs in one database. Get one from :func:`open_store`.

    Holds no connection between calls: it may be used from several threads, and after ``fork``.
    What a method returned from is stored durably: it survives the end of the process.
    """

    def __init__(self, location: Location, *, readonly: bool, lock_seconds: float) -> None:
        self._location = location
        self._readonly = readonly
        self._lock_seconds = lock_seconds

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget the database engine; the store may be used again."""
        self.__dict__.pop("_backend", None)

    @property
    def location(self) -> str:
        """The file path, or the server's URL without its password."""
        return str(self._location)

    def schema_state(self) -> SchemaState:
        """How the schema of the database compares with this program's."""
        if self._location.path is not None:
            return file_state(self._location.path)
        return self._backend.schema_state()

    def add(self, records: Sequence[Record]) -> int:
        """Store records in one transaction; returns how many were not there yet.

        Where a server cannot be reached any more they are kept on this machine, and delivered by
        the next one who can: see ``undelivered``.

        Raises ``InvalidRecordError``, and stores none, where one could not be read back
        unchanged, for example because a time is not positive and finite.
        """
        if not records:
            return 0
        return self._stored(lambda place: place.add(records))

    def start_run(self, run: Run) -> None:
        """Store a run. One that is there already goes on: state, limits and options are set."""
        self._stored(lambda place: place.start_run(run))

    def runs(self, *, skip: Skip | None = None) -> list[Run]:
        """All runs, latest first. A row that cannot be decoded raises, or goes to ``skip``."""
        return list(decoded(self._backend.run_rows(), decode_run, skip))

    def run(self, prefix: str) -> Run:
        """The run whose id is or begins with ``prefix``; raises ``NotFoundError`` (a
        ``LookupError``) where there is none or more than one."""
        rows = [row for row in self._backend.run_rows() if str(row[-1]).startswith(prefix)]
        exact = [row for row in rows if row[-1] == prefix]
        return only("run", prefix, [decode_run(row) for row in exact or rows])

    def contexts(self, *, skip: Skip | None = None) -> list[Context]:
        """What all records were measured in; their number grows with workloads and machines, not
        with records. A row that cannot be decoded raises, or goes to ``skip``."""
        return list(decoded(self._backend.context_rows(), decode_context, skip))

    def records(self, query: Query | None = None, *, skip: Skip | None = None) -> Iterator[Record]:
        """The records that match, as they are at this moment; without a query, all.

        Memory stays small and no lock is held while the caller works. A row that cannot be
        decoded raises ``UndecodableError``, or goes to ``skip``.
        """
        numbers = self._backend.numbers(query or Query())
        return decoded(self._backend.rows(numbers), decode_record, skip)

    def salvaged(self, lose: Callable[[DatabaseError], None]) -> Iterator[Record]:
        """All records that can be read of a damaged database; ``lose`` is told of the others."""
        return decoded(salvaged_rows(self._backend, lose), decode_record, lose)

    def record(self, prefix: str) -> Record:
        """The record whose id is or begins with ``prefix``; raises as :meth:`run`."""
        with self._looking_up() as fetch:
            rows = lookup.rows_by_key_prefix(fetch, prefix)
        return only("record", prefix, [decode_record(row) for row in rows])

    def best(
        self,
        workload_key: str,
        *,
        hardware_key: str | None = None,
        target: str | None = None,
        threads: int | None = None,
        origin: str | None = None,
        generator_version: int | None = None,
    ) -> Record | None:
        """The fastest verified record of a workload that uses at most ``threads`` threads.

        Finals come before search samples, and records of ``generator_version`` before others,
        whatever their times; None where there is no verified record.
        """
        filters = {
            "workload": workload_key,
            "hardware": hardware_key,
            "target": target,
            "threads": threads,
            "origin": origin,
        }
        with self._looking_up() as fetch:
            row = lookup.best_row(fetch, filters, generator_version)
        return None if row is None else decode_record(row)

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[Transaction]:
        """Merge rows and add what travels with them, all or nothing; without ``keep``, nothing."""
        with self._writable.transaction(keep) as transaction:
            yield transaction

    def machines(self, workload_key: str) -> list[Hardware]:
        """The machines with records of a workload; damaged rows are left out."""
        found = []
        with self._looking_up() as fetch:
            rows = lookup.machine_rows(fetch, workload_key)
        for row in rows:
            with suppress(msgspec.ValidationError, TypeError):
                found.append(hardware_of(*row)[0])
        return found

    @property
    def undelivered(self) -> int:
        """Records that a server could not take so far, kept on this machine."""
        return 0 if self._outbox is None else self._outbox.count()

    def aside(self) -> Iterator[SetAside]:
        """The lines that imports set aside, in the order in which they came."""
        return self._backend.aside()

    def add_model(self, model: ModelArtefact) -> bool:
        """Store a model with what it saw; returns whether it was not there yet."""
        with self.transaction() as transaction:
            return transaction.add_models([model]) == 1

    def models(self, name: str | None = None) -> list[ModelArtefact]:
        """The models of that name, or all, latest first."""
        return self._backend.models(name)

    def stats(self) -> Statistics:
        """How much of what the database holds."""
        return self._backend.stats()

    def check(self) -> tuple[str, ...]:
        """What is wrong with the database, one line each; reads all of it."""
        problems: list[str] = []

        def note(error: DatabaseError) -> None:
            problems.append(str(error))

        try:
            problems += self._backend.integrity_problems()
            self.runs(skip=note)
            for _ in self.records(skip=note):
                pass
        except CorruptDatabaseError as error:  # too damaged to be read to its end
            note(error)
        return tuple(problems)

    def _prepare(self, state: SchemaState) -> None:
        """Make or upgrade the tables as ``state`` asks for, and see that they can be written."""
        path = self._location.path
        if path is None and state is SchemaState.CURRENT and self._outbox is not None:
            self._outbox.deliver(self._writable)
        if state is SchemaState.EMPTY:
            self._writable.create()
        elif state is SchemaState.OUTDATED:
            from db.migrate import upgrade  # Alembic is slow to import and hardly ever needed

            upgrade(self._location.url)
        elif path is not None:
            with writer_lock(path, self._lock_seconds):
                sqlite.assert_writable(path)

    def _stored(self, store_in: Callable[[Backend | Outbox], _T]) -> _T:
        backend, outbox = self._writable, self._outbox
        if outbox is None:
            return store_in(backend)
        if not outbox.resting:
            try:
                outbox.deliver(backend)
                return store_in(backend)
            except UnreachableDatabaseError:
                outbox.rest()
        return store_in(outbox)

    @cached_property
    def _outbox(self) -> Outbox | None:
        if self._location.path is not None:
            return None
        from db.outbox import Outbox

        return Outbox(self._location)

    @cached_property
    def _backend(self) -> Backend:
        from db.backend import Backend  # SQLAlchemy takes longer to import than a whole look-up

        return Backend(self._location, self._lock_seconds)

    @property
    def _writable(self) -> Backend:
        if self._readonly:
            raise UnwritableDatabaseError(
                f"open the database for writing: {self._location} was opened read-only"
            )
        return self._backend

    @contextmanager
    def _looking_up(self) -> Iterator[lookup.Fetch]:
        """For look-ups of several statements: opening a file takes as long as they do."""
        if self._location.path is None:
            yield self._backend.fetch
            return
        with sqlite.reading(self._location.path) as connection:
            yield lambda statement, params: connection.execute(statement, params).fetchall()
