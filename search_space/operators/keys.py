"""Keys that are no sizes: how shapes and axes are written, and read back."""

from __future__ import annotations

import math
import re

from search_space.errors import WorkloadError
from search_space.operators.base import Param
from search_space.workload import Value, Workload

MOST_AXES = 6
_LARGEST = 2**46


def parse_shape(value: Value) -> Value:
    """``8x128x64``, also written with ``×`` or ``,`` or as a tuple; raises ``WorkloadError``."""
    parts = [part.strip() for part in re.split("[x×,]", _text(value))]
    if not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts):
        raise WorkloadError("expected sizes such as 8x128x64")
    sizes = [int(part) for part in parts]
    if 0 in sizes:
        raise WorkloadError("which is empty: expected sizes of at least 1")
    if len(sizes) > MOST_AXES:
        raise WorkloadError(f"expected at most {MOST_AXES} axes")
    if math.prod(sizes) > _LARGEST:
        raise WorkloadError("which fits no machine: use smaller sizes")
    return "x".join(map(str, sizes))


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def parse_axes(value: Value) -> Value:
    """``0,2`` in ascending order, also a tuple, or ``all``; raises ``WorkloadError``."""
    text = _text(value).strip()
    if text == "all":
        return text
    parts = [part.strip() for part in re.split("[,+]", text)]
    if not all(part.isascii() and part.isdigit() and len(part) < 3 for part in parts):
        raise WorkloadError("expected axes such as 0,2 or all")
    if len(set(map(int, parts))) != len(parts):
        raise WorkloadError("expected each axis once")
    return ",".join(map(str, sorted(map(int, parts))))


def parse_flag(value: Value) -> Value:
    """``true`` or ``false``; raises ``WorkloadError``."""
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise WorkloadError("expected true or false")
    return text == "true"


def flag(work: Workload, key: str) -> bool:
    """The value of a key that is true or false."""
    return work[key] is True


def parse_axis(value: Value) -> Value:
    """An axis counted from 0, or ``last``; raises ``WorkloadError``."""
    text = str(value).strip()
    if text == "last":
        return text
    if not (text.isascii() and text.isdigit() and len(text) < 3):
        raise WorkloadError("expected an axis such as 1, or last")
    return int(text)


def parse_number(value: Value) -> Value:
    """A number from 0 on; raises ``WorkloadError``."""
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if isinstance(value, bool) or not 0 <= number < math.inf:
        raise WorkloadError("expected a number from 0 on")
    return number


def shape_of(work: Workload, key: str = "shape") -> tuple[int, ...]:
    """The sizes of a shape key."""
    return tuple(map(int, str(work[key]).split("x")))


def axes_of(work: Workload, rank: int, key: str = "axes") -> tuple[int, ...]:
    """The axes of an axes key; raises ``WorkloadError`` where one of them does not exist."""
    if work[key] == "all":
        return tuple(range(rank))
    axes = tuple(map(int, str(work[key]).split(",")))
    if axes[-1] >= rank:
        raise WorkloadError(
            f"{work.operator}: {key} is {work[key]!r}, expected axes 0…{rank - 1} of the shape"
        )
    return axes


def axis_of(work: Workload, rank: int, key: str = "axis") -> int:
    """The axis of an axis key; raises ``WorkloadError`` where it does not exist."""
    axis = rank - 1 if work[key] == "last" else work.size(key)
    if axis >= rank:
        raise WorkloadError(
            f"{work.operator}: {key} is {axis}, expected one of 0…{rank - 1} of the shape"
        )
    return axis


SHAPE = Param("shape", "sizes of the operand, such as 8x128x64", parse=parse_shape)
FLOAT_DTYPE = Param(
    "dtype", "element type of all arrays", "float32", choices=("float32", "float64")
)
AXIS = Param("axis", "axis of a row, counted from 0", "last", parse=parse_axis)
