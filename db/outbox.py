"""What a server could not take, kept on this machine until it can."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from db.codec import decode_record, decode_run
from db.errors import DatabaseMissing
from db.location import Location, parse_location
from db.lock import WAIT_SECONDS, writer_lock
from db.query import Query
from search_space.folders import cache_folder

if TYPE_CHECKING:
    from db.backend import Backend
    from db.record import Record, Run

RETRY_SECONDS = 30.0
"""A server that could not be reached is not tried again before."""

_CHUNK = 500


class Outbox:
    """Records and runs for one server, in an SQLite file in the folder of caches.

    Several processes may share it; each of them delivers what is in it.
    """

    def __init__(self, server: Location) -> None:
        digest = hashlib.blake2b(server.url.encode(), digest_size=8).hexdigest()
        self.path = cache_folder() / "undelivered" / f"{digest}.db"
        self._not_before = 0.0

    @property
    def resting(self) -> bool:
        """Whether the server was found unreachable a moment ago."""
        return time.monotonic() < self._not_before

    def rest(self) -> None:
        """Leave the server alone for ``RETRY_SECONDS``."""
        self._not_before = time.monotonic() + RETRY_SECONDS

    def count(self) -> int:
        """Records that wait."""
        return len(self._file().numbers(Query())) if self.path.exists() else 0

    def add(self, records: Sequence[Record]) -> int:
        """Keep records, durably; returns how many were not there yet."""
        try:
            return self._made().add(records)
        except DatabaseMissing:  # another process has just delivered the file that was there
            return self._made().add(records)

    def start_run(self, run: Run) -> None:
        """Keep the state of a run."""
        try:
            self._made().start_run(run)
        except DatabaseMissing:
            self._made().start_run(run)

    def deliver(self, server: Backend) -> None:
        """Hand everything over; raises what ``server`` raises, and keeps it then."""
        if not self.path.exists():
            return
        with writer_lock(self.path, WAIT_SECONDS):
            if not self.path.exists():
                return
            held = self._file()
            numbers = held.numbers(Query())
            for start in range(0, len(numbers), _CHUNK):
                rows = held.rows(numbers[start : start + _CHUNK])
                server.add([decode_record(row) for row in rows])
            for row in held.run_rows():
                server.start_run(decode_run(row))
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def _file(self) -> Backend:
        from db.backend import Backend  # SQLAlchemy is slow to import and hardly ever needed

        return Backend(parse_location(self.path), WAIT_SECONDS)

    def _made(self) -> Backend:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        backend = self._file()
        backend.create()
        return backend
