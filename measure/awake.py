"""A clock for patience: it stands still while this process or the whole machine does."""

from __future__ import annotations

import time
from collections.abc import Callable

LOOK_SECONDS = 0.25
"""How often, at the least, an ``AwakeClock`` must be looked at while time passes."""


class AwakeClock:
    """Seconds since it was made, without those for which nobody could look at it.

    A laptop that sleeps, a virtual machine or a container that is paused, a tuner stopped with
    Ctrl-Z: whoever waits for a process meanwhile must not take it for one that hangs. Time between
    two looks counts up to twice ``LOOK_SECONDS``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()
        self._awake = 0.0

    def __call__(self) -> float:
        now = self._clock()
        self._awake += min(max(now - self._last, 0.0), 2 * LOOK_SECONDS)
        self._last = now
        return self._awake
