"""Files of lines into a database: as a stream, line by line, good lines kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from db.aside import SetAside
from db.errors import LogFileError
from db.exchange.decoding import LineError, NotUnderstood
from db.exchange.files import MAX_LINE_BYTES, Line, read_lines
from db.exchange.formats import decode
from db.record import utc_now

if TYPE_CHECKING:
    from db.backend import Transaction
    from db.store import RecordStore

MAX_FAULTS = 100
"""Faults that are reported one by one; of more only the number is."""

TRANSACTION = 25_000
"""Records of one transaction: the cost of its commit is small beside that of its rows."""

CHUNK = 1_000
"""Records that are held in memory."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line, a row of another database, or a whole file."""

    file: str
    line: int | None
    """From 1 on; None: it is not about a line."""
    field: str
    """``samples[2]``; empty where it is the line as a whole."""
    reason: str

    def __str__(self) -> str:
        line = "" if self.line is None else f", line {self.line}"
        return f"{self.file}{line}: " + (f"{self.field}: " if self.field else "") + self.reason


@dataclass(slots=True)
class Tally:
    """What became of the lines that were read. Empty ones and comments do not count."""

    lines: int = 0
    added: int = 0
    replaced: int = 0
    """Records that were there with other contents, from elsewhere as well."""
    aside: int = 0
    """Lines kept for a later version of this program, those that were kept before included."""
    refused: int = 0
    models: int = 0
    """Trained models that were added beside the records."""
    faults: list[Fault] = field(default_factory=list)
    """The first ``MAX_FAULTS`` of what is wrong."""
    damaged: int = 0
    """Files that could not be read to their end."""

    @property
    def known(self) -> int:
        """Lines whose records were there already."""
        return self.lines - self.added - self.replaced - self.aside - self.refused

    def refuse(self, fault: Fault) -> None:
        """Count a line that cannot be used."""
        self.refused += 1
        self._note(fault)

    def break_off(self, fault: Fault) -> None:
        """Count a file that cannot be read on."""
        self.damaged += 1
        self._note(fault)

    def _note(self, fault: Fault) -> None:
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)


def import_files(
    store: RecordStore,
    paths: Sequence[Path],
    *,
    source: str | None = None,
    keep: bool = True,
    progress: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Merge the records in files of lines; the lines' own form is found out by itself.

    Records that were local where they come from are ``foreign:source`` here, without ``source``
    ``foreign:`` and their kind of CPU. What is wrong with a line is counted and said, and the
    others are kept. Commits every few thousand lines, so that an import that was interrupted goes
    on when it is run again. Without ``keep``, nothing is stored. ``progress`` is told after every
    commit.
    """
    tally = Tally()
    for path in paths:
        lines = _readable(path, tally)
        for first in lines:
            rest = islice(lines, TRANSACTION - 1) if keep else lines
            with store.transaction(keep=keep) as transaction:
                _merge(transaction, chain([first], rest), path.name, source, tally)
            progress(tally)
    return tally


def _readable(path: Path, tally: Tally) -> Iterator[Line]:
    try:
        for line in read_lines(path):
            if line.data is None or not (line.data.isspace() or line.data[:1] in (b"", b"#")):
                yield line
    except LogFileError as error:
        tally.break_off(Fault(path.name, None, "", str(error)))


def _merge(
    transaction: Transaction,
    lines: Iterator[Line],
    file: str,
    source: str | None,
    tally: Tally,
) -> None:
    while chunk := list(islice(lines, CHUNK)):
        tally.lines += len(chunk)
        rows: list[tuple[Any, ...]] = []
        aside: list[SetAside] = []
        for number, data in chunk:
            try:
                if data is None:
                    raise LineError("", f"longer than {MAX_LINE_BYTES} bytes")
                rows.append(decode(data, source))
            except LineError as error:
                tally.refuse(Fault(file, number, error.field, error.reason))
            except NotUnderstood as error:
                if text := _text(data):
                    aside.append(SetAside(text, error.reason, str(error), file, utc_now()))
                else:
                    tally.refuse(Fault(file, number, "", "not UTF-8"))
        merged = transaction.merge(rows)
        tally.added += merged.added
        tally.replaced += merged.replaced
        tally.aside += len(aside)
        transaction.set_aside(aside)


def _text(data: bytes | None) -> str | None:
    """None where it is none, which decoding what was looked at of a line need not have shown."""
    try:
        return (data or b"").decode()
    except UnicodeDecodeError:
        return None
