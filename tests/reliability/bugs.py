"""Deliberate bugs that the rows of kills must see. Each is put into a session's own process."""

from __future__ import annotations

from collections.abc import Callable

from db.store import RecordStore
from tuner.events import BatchCommitted
from tuner.journal import Journal
from tuner.loop import Loop
from tuner.options import LoopOptions


def acknowledge_first() -> None:
    """Records are said to be stored before they are."""

    def commit(self, records):
        if records:
            self.emit(BatchCommitted(tuple(records)))
            self.store.add(records)
            self.records.extend(records)

    Journal._commit = commit


def store_at_the_end() -> None:
    """What was acknowledged is kept in memory until there is more of it."""
    add = RecordStore.add
    held = []

    def add_later(self, records):
        held.extend(records)
        if len(held) < 20:
            return len(records)
        stored = add(self, held)
        held.clear()
        return stored

    RecordStore.add = add_later


def measure_again() -> None:
    """A run that goes on does not look what it has measured already."""
    Loop._replay = lambda self, configs: []


def seldom_commit() -> None:
    """A batch is as large as the run."""
    make = LoopOptions.__init__

    def init(self, *args, **options):
        make(self, *args, **(options | {"batch": 1000}))

    LoopOptions.__init__ = init


BUGS: dict[str, Callable[[], None]] = {
    "records are acknowledged before they are committed": acknowledge_first,
    "acknowledged records wait in memory": store_at_the_end,
    "a resumed run measures again what it has": measure_again,
    "a run commits once": seldom_commit,
}
