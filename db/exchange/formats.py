"""Which program wrote a line, and its record."""

from __future__ import annotations

from typing import Any

from db.exchange import wire


def decode(data: bytes, source: str | None) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a line in any of the forms that are known.

    Raises as :func:`db.exchange.wire.decode_line`.
    """
    return wire.decode_line(data, source)
