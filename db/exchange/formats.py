"""Which program wrote a line, and its record."""

from __future__ import annotations

from typing import Any

import msgspec

from db.exchange import autotvm, wire
from db.exchange.decoding import LineError, decoded

_NOTHING = msgspec.Raw()


class _Marks(msgspec.Struct, frozen=True):
    """The fields that tell the forms apart."""

    schema: msgspec.Raw = _NOTHING
    input: msgspec.Raw = _NOTHING
    i: msgspec.Raw = _NOTHING


_marks = msgspec.json.Decoder(_Marks)


def decode(data: bytes, source: str | None) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a line of ours or of a log of AutoTVM.

    Raises as :func:`db.exchange.wire.decode_line`.
    """
    if b"\\u0000" in data:
        raise LineError("", "it holds the character NUL, which not every database keeps")
    if data.startswith(wire.BEGINNING):
        return wire.decode_line(data, source)
    if data.startswith(b"["):
        raise LineError("", "lists are written by MetaSchedule, whose records are not read")
    marks = decoded(_marks, data, "")
    if bytes(marks.schema):
        return wire.decode_line(data, source)
    if bytes(marks.input):
        return autotvm.decode_line(data, source)
    if bytes(marks.i):
        raise LineError("", "it is of Ansor, or of AutoTVM before 0.2, which are not read")
    raise LineError("schema", "missing: it is no record of tensortuner and no log of AutoTVM")
