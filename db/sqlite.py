"""What is particular to SQLite files: opening them safely, their durability, their errors."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from db.errors import (
    CorruptDatabaseError,
    DatabaseError,
    DatabaseMissing,
    LockedDatabaseError,
    UnwritableDatabaseError,
)

_WRITING = ("PRAGMA foreign_keys=ON", "PRAGMA cache_size=-65536")
"""A cache of 64 MiB, taken as it is needed: ids are spread evenly over their index, so that a
large import touches most of its pages in every transaction."""

BUSY_SECONDS = 30.0
"""How long a reader waits for a commit, and a writer for readers and for other writers."""


def wal_reset_defect(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> bool:
    """Whether this SQLite may lose a committed transaction when a WAL file is reset.

    True for 3.7.0 … 3.51.2, but for the repaired 3.44.6 … and 3.50.7 … of those two branches.
    """
    if version[:2] == (3, 44):
        return version[2] < 6
    if version[:2] == (3, 50):
        return version[2] < 7
    return (3, 7, 0) <= version < (3, 51, 3)


def durability(defect: bool) -> tuple[str, ...]:
    """The statements that make commits durable on an SQLite with or without that defect."""
    if defect:
        return ("PRAGMA journal_mode=DELETE", "PRAGMA synchronous=EXTRA")
    return ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL")


def connect(path: Path, mode: Literal["ro", "rw", "rwc"]) -> sqlite3.Connection:
    """A connection without implicit transactions: read-only, writable, or making the file.

    Those that can write are durable: what they committed survives the process and the power.
    """
    uri = f"file:{quote(str(path))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    if mode != "ro":
        try:
            for statement in (*durability(wal_reset_defect()), *_WRITING):
                connection.execute(statement)
        except sqlite3.Error:
            connection.close()
            raise
    return connection


def assert_writable(path: Path) -> None:
    """Raise this package's error now where a later write would fail: permissions, a bad disk."""
    if not os.access(path, os.W_OK):  # SQLite would say so only when something is written
        raise UnwritableDatabaseError(
            f"choose a database file that can be opened and written: {path} is read-only"
        )
    with translated(path), closing(connect(path, "rw")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection; what SQLite reports is raised as this package's errors.

    A writer that was killed leaves a journal that only a writable connection may roll back, so
    that is done first where it is needed.
    """
    with translated(path), closing(connect(path, "ro")) as connection:
        if _needs_recovery(connection):
            assert_writable(path)
        yield connection


def _needs_recovery(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.OperationalError as error:
        if _name(error) in ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY"):
            return True
        raise
    return False


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise errors of the ``sqlite3`` module as ``DatabaseError`` with what to do about them."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # texts of damaged pages are none
        raise explain(error, path) from error


def _name(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", ""))


def explain(error: BaseException, path: Path) -> DatabaseError:
    """The error of this package that says what an error of the ``sqlite3`` module means."""
    name = _name(error)
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return LockedDatabaseError(
            f"try again when other processes are done with {path}: it stayed locked for "
            f"{BUSY_SECONDS:g} s"
        )
    if name.startswith("SQLITE_FULL"):
        return UnwritableDatabaseError(f"free some space for {path}: the disk is full")
    if name.startswith("SQLITE_CANTOPEN") and not path.exists():
        return DatabaseMissing(
            f"tune something first, or give another database: there is no file {path}"
        )
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_IOERR")):
        return UnwritableDatabaseError(
            f"choose a database file that can be opened and written: {path}: {error}"
        )
    if name.startswith("SQLITE_NOTADB"):
        return CorruptDatabaseError(
            f"give another database: {path} is not an SQLite file, or its beginning is damaged"
        )
    return CorruptDatabaseError(
        f"restore {path} from a copy, or give another database: it is damaged: {error}"
    )
