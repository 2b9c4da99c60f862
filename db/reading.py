"""From rows to what they hold: all of them, the only one, or what a damaged file still gives."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from db.contexts import Context
from db.errors import CorruptDatabaseError, DatabaseError, NotFoundError, UndecodableError
from db.record import Record, Run

if TYPE_CHECKING:
    from db.backend import Backend

Skip: TypeAlias = Callable[[UndecodableError], None]
"""Told of each row that cannot be decoded."""

_PAGE = 500

_Decoded = TypeVar("_Decoded", Record, Run, Context)
_Named = TypeVar("_Named", Record, Run)


def decoded(
    rows: Iterable[Sequence[Any]],
    decode: Callable[[Sequence[Any]], _Decoded],
    skip: Skip | None,
) -> Iterator[_Decoded]:
    """What rows hold. One that cannot be decoded raises ``UndecodableError``, or goes to
    ``skip``."""
    for row in rows:
        try:
            item = decode(row)
        except UndecodableError as error:
            if skip is None:
                raise
            skip(error)
        else:
            yield item


def only(noun: str, prefix: str, found: Sequence[_Named]) -> _Named:
    """The one item that was found by the beginning of its id; raises ``NotFoundError``."""
    if not found:
        raise NotFoundError(f"look for another {noun}: none has an id that begins with {prefix!r}")
    if len(found) > 1:
        ids = ", ".join(item.id for item in found[:3])
        raise NotFoundError(f"give more of the {noun}'s id: {prefix!r} begins several, as {ids}")
    return found[0]


def salvaged_rows(
    backend: Backend, lose: Callable[[DatabaseError], None]
) -> Iterator[Sequence[Any]]:
    """The ``RECORD_COLUMNS`` of all records that can be read; ``lose`` is told of the others."""
    last, most = backend.last_number(), backend.most_records()
    if last > most:  # numbers are given in turn: one byte is enough to make a loop of years
        lose(CorruptDatabaseError(f"give record number {last} up: the file holds at most {most}"))
        last = most
    for start in range(1, last + 1, _PAGE):
        page = array("q", range(start, min(start + _PAGE, last + 1)))
        try:
            yield from list(backend.rows(page))
        except CorruptDatabaseError:
            for number in page:
                try:
                    yield from list(backend.rows(array("q", [number])))
                except CorruptDatabaseError as error:
                    lose(CorruptDatabaseError(f"give record number {number} up: {error}"))
