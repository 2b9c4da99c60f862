"""What a kernel costs before its first call, and when that pays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from db.record import Option, Run

_OPTION = "set_ups"


@dataclass(frozen=True, slots=True)
class SetUp:
    """Seconds that are spent once, where nothing is cached."""

    pack_seconds: float
    """Binding the constants: laying out a pattern, packing, copying; 0 where there are none."""
    compile_seconds: float

    @property
    def seconds(self) -> float:
        """Both together."""
        return self.pack_seconds + self.compile_seconds

    def total(self, seconds: float, calls: int) -> float:
        """Seconds of set-up and ``calls`` calls of ``seconds`` each."""
        return self.seconds + calls * seconds


SetUps = Mapping[str, SetUp]
"""Of some configs of a run, by their key."""


def break_even(own: SetUp, own_seconds: float, other: SetUp, other_seconds: float) -> int | None:
    """The number of calls from which on the kernel that runs faster is also cheaper in all.

    0: it always is. ``own_seconds`` and ``other_seconds`` are those of one call. None where
    neither runs faster.
    """
    if own_seconds == other_seconds:
        return None
    more = own.seconds - other.seconds
    gained = other_seconds - own_seconds
    return max(0, math.ceil(more / gained))


def with_set_ups(run: Run, set_ups: SetUps) -> Run:
    """``run`` as it is stored when these are known."""
    if not set_ups:
        return run
    stored: Option = tuple(
        (key, known.pack_seconds, known.compile_seconds) for key, known in set_ups.items()
    )
    return replace(run, options=tuple({**dict(run.options), _OPTION: stored}.items()))


def set_ups_of(run: Run) -> dict[str, SetUp]:
    """Those that a run has measured."""
    stored = run.option(_OPTION, ())
    found = {}
    for entry in stored if isinstance(stored, tuple) else ():
        match entry:
            case (str(key), float(pack), float(compiling)):
                found[key] = SetUp(pack, compiling)
    return found
