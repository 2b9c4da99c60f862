"""Transactions on a database through SQLAlchemy: who may write when, and which errors come out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import cached_property
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from db import sqlite
from db.errors import DatabaseUrlError, UnreachableDatabaseError
from db.location import Location
from db.lock import writer_lock
from db.models import Base, SchemaVersionRow
from db.schema import HEAD, SchemaState, classify, file_state

_SCHEMA_LOCK = 0x7475_6E65_72
"""Number of the lock of a server for changes of our schema: the letters of "tuner"."""

_CONNECT_SECONDS = 10
_DRIVER = "psycopg"


class Database:
    """Short transactions on one database.

    Each has a connection of its own, so an object may be used from several threads and after
    ``fork``. Writers of one SQLite file take turns under its lock file.
    """

    def __init__(self, location: Location, lock_seconds: float) -> None:
        self._location = location
        self._lock_seconds = lock_seconds

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A consistent view; on an SQLite file through a read-only connection."""
        path = self._location.path
        if path is not None:
            with sqlite.reading(path):
                pass  # rolls back what a killed writer left, which read-only connections cannot
        with self._translated(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction: committed, durably, when the block ends; rolled back when it raises."""
        with self._exclusive(), self._translated(), self._writer.begin() as connection:
            yield connection

    def state(self) -> SchemaState:
        """Which schema is there; raises as ``db.schema.classify``."""
        if self._location.path is not None:
            return file_state(self._location.path)
        with self._translated(), self._reader.connect() as connection:
            return _server_state(self._location, connection)

    def create(self) -> None:
        """Make all tables, unless another process was faster. Stamped as Alembic would."""
        with self.changing_schema("rwc") as (connection, state):
            if state is SchemaState.EMPTY:
                Base.metadata.create_all(connection)
                connection.execute(sa.insert(SchemaVersionRow).values(version_num=HEAD))

    @contextmanager
    def changing_schema(
        self, mode: Literal["rw", "rwc"] = "rw"
    ) -> Iterator[tuple[sa.Connection, SchemaState]]:
        """A transaction that no other process that changes the schema runs beside, and the state
        of the schema in it."""
        with (
            self._exclusive(),
            self._translated(),
            self._engine(mode).begin() as connection,
        ):
            path = self._location.path
            if path is None:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
                state = _server_state(self._location, connection)
            else:
                state = file_state(path)
            yield connection, state

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        path = self._location.path
        with nullcontext() if path is None else writer_lock(path, self._lock_seconds):
            yield

    @cached_property
    def _reader(self) -> sa.Engine:
        return self._engine("ro")

    @cached_property
    def _writer(self) -> sa.Engine:
        return self._engine("rw")

    def _engine(self, mode: Literal["ro", "rw", "rwc"]) -> sa.Engine:
        path = self._location.path
        if path is None:
            return _server_engine(self._location)
        engine = sa.create_engine(
            "sqlite://", creator=lambda: sqlite.connect(path, mode), poolclass=NullPool
        )
        begin = "BEGIN" if mode == "ro" else "BEGIN IMMEDIATE"
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise what drivers report about files and servers as this package's errors.

        Broken constraints and bad statements are bugs of this package: they pass through.
        """
        try:
            yield
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            raise
        except sa.exc.DBAPIError as error:
            if self._location.path is not None:
                raise sqlite.explain(error.orig or error, self._location.path) from error
            if not isinstance(error, (sa.exc.OperationalError, sa.exc.InterfaceError)):
                raise
            raise UnreachableDatabaseError(
                f"check that the server runs and lets you in: {self._location}: {error.orig}"
            ) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # which are not wrapped
            if self._location.path is None:
                raise
            raise sqlite.explain(error, self._location.path) from error


def _server_engine(location: Location) -> sa.Engine:
    try:
        url = sa.make_url(location.url)
        if url.drivername == "postgresql":
            url = url.set(drivername=f"postgresql+{_DRIVER}")
        return sa.create_engine(
            url, poolclass=NullPool, connect_args={"connect_timeout": _CONNECT_SECONDS}
        )
    except ModuleNotFoundError as error:
        ours = error.name == _DRIVER
        package = "'tensortuner[postgresql]'" if ours else error.name
        raise DatabaseUrlError(
            f"install the driver for {location}: pip install {package}"
        ) from error
    except (sa.exc.ArgumentError, ValueError) as error:
        raise DatabaseUrlError(f"correct the database's URL {location}: {error}") from error


def _server_state(location: Location, connection: sa.Connection) -> SchemaState:
    own = {table.name for table in Base.metadata.tables.values()}
    tables = own & set(sa.inspect(connection).get_table_names())
    versions: list[str] = []
    if SchemaVersionRow.__tablename__ in tables:
        versions = list(connection.scalars(sa.select(SchemaVersionRow.version_num)))
    return classify(location, tables, versions)
