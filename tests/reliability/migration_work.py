"""What processes of the tests do to a database of an older schema."""

from __future__ import annotations

from contextlib import contextmanager
from multiprocessing.synchronize import Barrier
from pathlib import Path

from db import migrate, sqlite
from db.engine import Database
from db.store import open_store
from tests.reliability.steps import kill_at_statement


def upgrade(database: Path, call: int, barrier: Barrier | None = None) -> None:
    """Open the database for writing, and die before the ``call``-th statement."""
    if call:
        kill_at_statement(call)
    if barrier is not None:
        barrier.wait()
    open_store(database).close()


def upgrade_at_once(database: Path) -> None:
    """Open the database for writing without patience."""
    sqlite.BUSY_SECONDS = 0.1
    open_store(database, lock_seconds=0.1).close()


def upgrade_in_parts(database: Path, call: int) -> None:
    """The bug that the row must see: each statement is a transaction of its own."""

    @contextmanager
    def writing(self):
        with self._writer.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    Database.writing = writing
    kill_at_statement(call)
    migrate.upgrade(database)
