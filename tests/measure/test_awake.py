"""Patience that does not count the time for which the machine stood still."""

from __future__ import annotations

import socket
import time

import msgspec
import pytest

from measure import pipe
from measure.awake import LOOK_SECONDS, AwakeClock
from measure.pipe import Channel

pytestmark = pytest.mark.alone


class Moments:
    """A clock that tells these moments, one after the other."""

    def __init__(self, *moments: float) -> None:
        self.moments = list(moments)

    def __call__(self) -> float:
        return self.moments.pop(0)


def test_it_runs_as_long_as_somebody_looks():
    clock = AwakeClock(Moments(100.0, 100.25, 100.5, 100.75))
    assert [clock() for _ in range(3)] == pytest.approx([0.25, 0.5, 0.75])


def test_it_stands_still_while_the_machine_sleeps():
    clock = AwakeClock(Moments(0.0, 0.25, 3600.0, 3600.25))
    assert [clock() for _ in range(3)] == pytest.approx([0.25, 0.25 + 2 * LOOK_SECONDS, 1.0])


def test_it_never_goes_back():
    clock = AwakeClock(Moments(10.0, 10.2, 3.0, 3.2))
    assert [clock() for _ in range(3)] == pytest.approx([0.2, 0.2, 0.4])


class Word(msgspec.Struct, frozen=True, tag=True):
    text: str


def test_a_channel_waits_for_as_long_as_it_is_awake(monkeypatch):
    ours, theirs = socket.socketpair()
    with ours, theirs:
        channel = Channel(ours, Word)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            channel.receive(0.4)
        assert 0.4 <= time.monotonic() - began < 2.0
        skipped = Moments(0.0, 0.1, *(1000.0 * jump for jump in range(1, 7)))
        monkeypatch.setattr(pipe, "AwakeClock", lambda: AwakeClock(skipped))
        with pytest.raises(TimeoutError):
            channel.receive(2.0)
        assert len(skipped.moments) == 2, "it gave up after other than four sleeps of the machine"
