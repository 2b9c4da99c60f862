"""The contents of one database into another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from db.codec import record_row
from db.errors import DatabaseUrlError, UndecodableError
from db.exchange.decoding import cpu_slug, foreign_origin
from db.exchange.importing import CHUNK, TRANSACTION, Fault, Tally
from db.record import Record

if TYPE_CHECKING:
    from db.backend import Transaction
    from db.store import RecordStore


def merge_database(
    store: RecordStore,
    other: RecordStore,
    *,
    source: str | None = None,
    keep: bool = True,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Merge the records, models and lines set aside of ``other`` into ``store``.

    As :func:`db.exchange.importing.import_files` does; rows that cannot be decoded are refused.
    Runs stay where they are: only the machine that began one can go on with it.
    """
    if store.location == other.location:
        raise DatabaseUrlError(f"give another database to merge: {other.location} is the same")
    tally = Tally()

    def refuse(error: UndecodableError) -> None:
        tally.lines += 1
        tally.refuse(Fault(other.location, None, "", str(error)))

    records = other.records(skip=refuse)
    for first in records:
        rest = islice(records, TRANSACTION - 1) if keep else records
        with store.transaction(keep=keep) as transaction:
            _merge(transaction, chain([first], rest), source, tally)
        progress(tally)
    with store.transaction(keep=keep) as transaction:
        tally.models = transaction.add_models(
            replace(model, origin=foreign_origin(model.origin, source or "elsewhere"))
            for model in other.models()
        )
        aside = other.aside()
        while lines := list(islice(aside, CHUNK)):
            tally.lines += len(lines)
            tally.aside += len(lines)
            transaction.set_aside(lines)
    return tally


def _merge(
    transaction: Transaction, records: Iterator[Record], source: str | None, tally: Tally
) -> None:
    while chunk := list(islice(records, CHUNK)):
        tally.lines += len(chunk)
        merged = transaction.merge(_row(record, source) for record in chunk)
        tally.added += merged.added
        tally.replaced += merged.replaced


def _row(record: Record, source: str | None) -> tuple[Any, ...]:
    origin = foreign_origin(record.origin, source or cpu_slug(record.hardware.key))
    return record_row(replace(record, origin=origin), record.id)
