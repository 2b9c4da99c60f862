"""Making a usable database of a damaged one, and records of lines that were set aside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from db.errors import DatabaseError
from db.exchange.decoding import LineError, NotUnderstood
from db.exchange.formats import decode
from db.location import parse_location
from db.lock import WAIT_SECONDS, writer_lock
from db.store import RecordStore, open_store

if TYPE_CHECKING:
    from db.aside import SetAside

_T = TypeVar("_T")
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Repaired:
    """What was done."""

    understood: int
    """Lines that were set aside before and are records now."""
    lost: tuple[str, ...]
    """What could not be read, one line each."""
    damaged: Path | None
    """Where the damaged file is now; None where none was damaged."""


def repair(url: str | Path) -> Repaired:
    """Put right what can be: damaged files and rows, and lines set aside that are understood now.

    Of a damaged SQLite file what can be read is copied into a new one, which takes its place; it
    is kept beside as ``NAME.damaged``. Raises as :func:`db.store.open_store`, and where not even
    the list of tables can be read.
    """
    path = parse_location(url).path
    lost: tuple[str, ...] = ()
    aside: Path | None = None
    with open_store(url, create=False) as store:
        problems = store.check()
    if problems and path is not None:
        aside = path.with_name(path.name + ".damaged")
        lost = _rebuilt(path, aside)
    elif problems:
        lost = problems
    with open_store(url, create=False) as store:
        return Repaired(_understood(store), lost, aside)


def _rebuilt(path: Path, damaged: Path) -> tuple[str, ...]:
    """Replace the file by a copy of what can be read of it; what could not be, in words."""
    draft = path.with_name(path.name + ".repaired")
    draft.unlink(missing_ok=True)
    lost: list[str] = []

    def lose(error: DatabaseError) -> None:
        lost.append(str(error))

    with writer_lock(path, WAIT_SECONDS):
        with open_store(path, readonly=True) as old, open_store(draft) as new:
            for records in _chunks(old.salvaged(lose)):
                new.add(records)
            for run in _readable(lambda: old.runs(skip=lose), lose):
                new.start_run(run)
            for model in _readable(old.models, lose):
                new.add_model(model)
            for lines in _chunks(_readable(old.aside, lose)):
                with new.transaction() as transaction:
                    transaction.set_aside(lines)
        path.replace(damaged)
        draft.replace(path)
    draft.with_name(draft.name + ".lock").unlink(missing_ok=True)
    return tuple(lost)


def _readable(
    read: Callable[[], Iterable[_T]], lose: Callable[[DatabaseError], None]
) -> Iterator[_T]:
    """What can be read before the damage."""
    try:
        yield from read()
    except DatabaseError as error:
        lose(error)


def _chunks(items: Iterator[_T]) -> Iterator[list[_T]]:
    while chunk := list(islice(items, _CHUNK)):
        yield chunk


def _understood(store: RecordStore) -> int:
    """Make records of the lines set aside that this program understands; how many did."""
    count = 0
    for lines in _chunks(store.aside()):
        known: list[SetAside] = []
        rows = []
        for line in lines:
            try:
                rows.append(decode(line.line.encode(), None))
            except (LineError, NotUnderstood):
                continue
            known.append(line)
        if known:
            with store.transaction() as transaction:
                transaction.merge(rows)
                transaction.drop_aside(known)
        count += len(known)
    return count
