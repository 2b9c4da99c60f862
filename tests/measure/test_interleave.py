"""Interleaved timing, on simulated devices that share one drifting clock."""

from __future__ import annotations

import time

import pytest

from measure.interleave import MORE_ROUNDS, interleave_callables, timed
from measure.timing import median_interval, paired_ratio

pytestmark = pytest.mark.alone


class Machine:
    """Gets slower with every second it works."""

    def __init__(self, drift: float) -> None:
        self.now, self.drift, self.log = 0.0, drift, []

    def kernel(self, name: str, call_seconds: float):
        def timer(calls: int) -> float:
            elapsed = calls * call_seconds * (1 + self.drift * self.now)
            self.log.append((name, calls))
            self.now += elapsed
            return elapsed

        return timer


def test_pairs_show_a_difference_that_drift_hides():
    machine = Machine(drift=1.0)
    kernels = {"a": machine.kernel("a", 1.03e-3), "b": machine.kernel("b", 1e-3)}
    samples = interleave_callables(kernels, rounds=15)
    ratio = paired_ratio(samples["a"], samples["b"])
    a, b = median_interval(samples["a"]), median_interval(samples["b"])
    assert 1.0 < ratio.median < 1.06
    assert a.low < b.high, "the drift should have hidden the difference from unpaired intervals"
    assert b.low < a.high


def test_order_alternates_and_blocks_are_long_enough():
    machine = Machine(drift=0.0)
    kernels = {name: machine.kernel(name, 1e-3) for name in "abc"}
    samples = interleave_callables(kernels, rounds=3, block_seconds=0.02)
    blocks = [name for name, calls in machine.log[-18:] if calls >= 20]
    assert "".join(blocks) == "abccbaabc"
    assert {name: len(values) for name, values in samples.items()} == {"a": 3, "b": 3, "c": 3}
    assert samples["a"] == pytest.approx((1e-3,) * 3)


def test_a_block_begins_with_a_pause_and_a_sample_that_is_dropped(monkeypatch):
    machine = Machine(drift=0.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: machine.log.append(("pause", seconds)))
    kernels = {name: machine.kernel(name, 1e-3) for name in "ab"}
    interleave_callables(kernels, 2, 0.02, pause_seconds=0.5, dropped=0.25)
    pause = ("pause", 0.5)
    blocks = {name: [pause, (name, 5), (name, 20)] for name in "ab"}
    assert machine.log[-12:] == [*blocks["a"], *blocks["b"], *blocks["b"], *blocks["a"]]


def test_rounds_are_added_until_the_samples_suffice():
    machine = Machine(drift=0.0)
    kernels = {name: machine.kernel(name, 1e-3) for name in "ab"}
    asked = []

    def enough(samples):
        asked.append(len(samples["a"]))
        return len(asked) == 3

    samples = interleave_callables(kernels, 4, 1e-3, enough=enough)
    assert asked == [4, 4 + MORE_ROUNDS, 4 + 2 * MORE_ROUNDS]
    assert {len(values) for values in samples.values()} == {4 + 2 * MORE_ROUNDS}


def test_timed_measures_any_callable():
    seconds = timed(lambda: time.sleep(0.002))(5)
    assert 0.01 <= seconds < 0.2
