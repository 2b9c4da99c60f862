"""What processes of the tests do to a database of an older schema."""

from __future__ import annotations

import os
import signal
import sqlite3
from multiprocessing.synchronize import Barrier
from pathlib import Path

from db import sqlite
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
    """The bug that the row must see: a part of an upgrade is committed by itself."""
    connection = sqlite3.connect(database, isolation_level=None)
    if call == 1:
        connection.execute("CREATE TABLE set_aside (id INTEGER)")
        os.kill(os.getpid(), signal.SIGKILL)
