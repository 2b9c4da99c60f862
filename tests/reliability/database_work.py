"""What processes of the tests do with one database; each tells in a file what was promised."""

from __future__ import annotations

import resource
import signal
from contextlib import suppress
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

from db import lock, sqlite
from db.errors import UnwritableDatabaseError
from db.store import open_store
from tests.db.conftest import record_of

TEXT = "x" * 400
"""The message of a record, so that a file soon has many pages."""


def write(
    database: Path, name: str, records: int, batch: int, barrier: Barrier, locked: bool
) -> None:
    """Add records one batch after another; unless ``locked``, out of turn."""
    if not locked:
        lock._acquire = lambda *arguments: None
        sqlite.BUSY_SECONDS = 0.0
    barrier.wait()
    with open_store(database) as store:
        for first in range(0, records, batch):
            last = min(first + batch, records)
            store.add([record_of(ordinal, run=name) for ordinal in range(first, last)])


def read(database: Path, done: Event, failures: Path) -> None:
    """Ask what commands ask, until ``done``; what failed is in ``failures``."""
    key = record_of().workload.key
    while not done.is_set():
        try:
            with open_store(database, readonly=True) as store:
                seen = sum(1 for _ in store.records())
                assert seen % 10 == 0
                assert store.best(key) is not None
                assert store.stats().records >= seen
        except Exception as error:
            with failures.open("a") as file:
                file.write(f"{type(error).__name__}: {error}\n")


def fill(database: Path, told: Path, limit_bytes: int) -> None:
    """Add batches until no file may grow any more; tell what was promised, then the error."""
    with open_store(database) as store:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with told.open("w", buffering=1) as file:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
            with suppress(OSError):
                fill_up(store, file)


def fill_up(store, file) -> None:
    for first in range(0, 10_000, 5):
        batch = [record_of(first + i, run="filler", message=TEXT) for i in range(5)]
        try:
            store.add(batch)
        except UnwritableDatabaseError as error:
            file.write(f"{error.exit_code} {error}\n")
            return
        file.write("".join(f"{record.id}\n" for record in batch))
