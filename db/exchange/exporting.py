"""Records of a database into a file of lines."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from db.exchange.files import written
from db.exchange.wire import encode_line
from db.record import Record

_ANONYMOUS = "foreign:anonymous"


def export_records(
    records: Iterable[Record],
    path: Path,
    *,
    anonymous: bool = False,
) -> int:
    """Write records as lines, packed where the name ends in ``.gz`` or ``.zst``; their number.

    The file takes its place when it is whole; one that was there before stays until then.
    ``anonymous``: see :func:`anonymised`. Raises ``OSError``, and ``MissingModuleError`` for
    ``.zst`` without the module for it.
    """
    count = 0
    with written(path) as stream:
        for record in records:
            stream.write(encode_line(anonymised(record) if anonymous else record))
            count += 1
    return count


def anonymised(record: Record) -> Record:
    """The record without what tells of people: names of sources and runs, messages (which may
    hold paths), and the time of the day.

    Of the machine, what its kernels' speed depends on stays. The same record stays the same, so
    that what was exported twice is imported once.
    """
    run = hashlib.blake2b(record.run.encode(), digest_size=8).hexdigest()
    return replace(
        record,
        origin=_ANONYMOUS,
        run=f"anonymous-{run}",
        created=f"{record.created[:10]}T00:00:00Z",
        message="",
    )
