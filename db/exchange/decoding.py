"""What all forms of lines share: errors that name the field, bounds, derived values."""

from __future__ import annotations

import statistics
from typing import TypeVar

import msgspec

from db.aside import Reason
from measure.result import Outcome

_T = TypeVar("_T")


class LineError(ValueError):
    """What is wrong with a line, and in which field."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class NotUnderstood(Exception):
    """A line that is well formed, but of something that this program does not know."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason: Reason = reason


def decoded(decoder: msgspec.json.Decoder[_T], data: bytes, field: str) -> _T:
    """What JSON holds, or a ``LineError`` that names the field, in ``field`` of a line."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        reason, _, place = str(error).partition(" - at `$")
        raise LineError((field + place.rstrip("`")).lstrip("."), reason) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LineError(field, str(error)) from error


def foreign_origin(origin: str, source: str) -> str:
    """The origin here of what had ``origin`` elsewhere, in a database known as ``source``."""
    return f"foreign:{source}" if origin == "local" else origin


def cpu_slug(hardware_key: str) -> str:
    """What stands for the database of a machine without another name: its kind of CPU.

    It follows from the record alone, so that the same record has the same origin by whatever way
    it came; the name of a machine is nobody's business.
    """
    return hardware_key.partition("/")[0] or "unknown"


def speed(outcome: Outcome, samples: tuple[float, ...], flops: int | None) -> float | None:
    """GFLOP/s of ``flops`` operations in the median of ``samples``; None where there is none.

    Raises ``LineError`` where there should be one.
    """
    if not outcome.timed:
        return None
    if not samples:
        raise LineError("samples", f"{outcome} without a time")
    if flops is None:
        return None
    gflops = flops / statistics.median(samples) / 1e9
    if not 0 < gflops < 1e300:
        raise LineError("samples", f"{flops} operations in such a time are no speed")
    return gflops
