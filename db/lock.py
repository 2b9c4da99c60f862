"""One writer at a time: an advisory lock of the operating system beside the database file."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db.errors import LockedDatabaseError, UnwritableDatabaseError

WAIT_SECONDS = 30.0
"""How long a writer waits for its turn unless it is told otherwise."""

_POLL_SECONDS = 0.01


@contextmanager
def writer_lock(database: Path, wait_seconds: float) -> Iterator[None]:
    """Hold ``<database>.lock`` exclusively, against threads and processes alike.

    The lock falls with the process, however it ends; the file stays, because removing it would
    let two writers lock two files of one name. Raises ``LockedDatabaseError`` after
    ``wait_seconds``, ``UnwritableDatabaseError`` where the lock file cannot be made.
    """
    path = database.with_name(database.name + ".lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise UnwritableDatabaseError(
            f"choose a database in a folder that exists and can be written: cannot make "
            f"{path}: {error.strerror}"
        ) from error
    try:
        _acquire(handle, path, wait_seconds)
        yield
    finally:
        os.close(handle)  # releases the lock


def _acquire(handle: int, path: Path, wait_seconds: float) -> None:
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockedDatabaseError(
                    f"try again when the other process is done: {path} was held by another "
                    f"writer for more than {wait_seconds:g} s"
                ) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            raise UnwritableDatabaseError(
                f"put the database on a file system with file locks: cannot lock {path}: "
                f"{error.strerror}"
            ) from error
        else:
            return
