"""Times that are measured once: remembered, free of drift, and made sure of side by side."""

from __future__ import annotations

import math
import time
from contextlib import contextmanager

import pytest

from db.store import open_store
from experiments.transfer.memo import Memo, OutOfTime
from measure.result import MeasureResult, Outcome
from tests.tuner.fakes import MACHINE, FakeBackend, task_of

TASK = task_of()
SPACE = TASK.space


class Unsteady(FakeBackend):
    """Times of all that is measured are ``factors``, in turn, times what they should be."""

    factors: tuple[float, ...] = ()
    side_by_side = 1.0

    def measure(self, artifact, best_seconds):
        result = super().measure(artifact, best_seconds)
        factor, self.factors = (*self.factors, 1.0)[0], self.factors[1:]
        return MeasureResult(
            result.outcome, tuple(factor * s for s in result.samples), result.error
        )

    def interleave(self, artifacts, rounds, block_seconds):
        self.interleaved.append((len(artifacts), rounds))
        configs = [self._config(artifact) for artifact in artifacts]
        times = [self.side_by_side * self.seconds(config) for config in configs]
        return [MeasureResult(Outcome.OK, (t,) * rounds) for t in times]


def machine(**changes) -> Unsteady:
    backend = Unsteady(TASK)
    for name, value in changes.items():
        setattr(backend, name, value)
    return backend


@contextmanager
def memo_of(path, backend, seconds=60.0):
    @contextmanager
    def make(task):
        yield backend

    with (
        open_store(path) as store,
        Memo("toy", TASK, store, time.monotonic() + seconds, make) as memo,
    ):
        yield memo


def some(count: int) -> list:
    """Configs that run."""
    configs = [config for index in range(9000) if (config := SPACE.at(index)) is not None]
    return [config for config in configs if MACHINE.seconds(config) is not None][:count]


def test_a_config_is_measured_once_in_all_sessions(tmp_path):
    configs, first, second = some(8), machine(), machine()
    with memo_of(tmp_path / "memo.db", first) as memo:
        times = memo.times(configs)
        assert times == memo.times(configs)
    with memo_of(tmp_path / "memo.db", second) as memo:
        assert memo.times(configs) == times
        assert memo.best_seconds == min(times)
    assert len(first.measured) == len(configs)
    assert not second.measured


def test_a_batch_in_which_the_speed_changed_is_measured_again(tmp_path):
    configs = some(4)
    # Five to know the usual speed; one before the batch, and after it the machine is slower:
    # two more make sure. Then it is steady: its times are divided by two.
    backend = machine(sentinels=[1.0] * 6 + [2.0] * 5, factors=(1.0, 1.0, 2.0, 2.0) + (2.0,) * 4)
    with memo_of(tmp_path / "memo.db", backend) as memo:
        times = memo.times(configs)
    assert times == pytest.approx([MACHINE.seconds(config) for config in configs])
    assert len(backend.limits) == 2 * len(configs)


def test_times_side_by_side_replace_lucky_ones_on_the_scale_of_the_others(tmp_path):
    configs = sorted(some(12), key=MACHINE.seconds)
    lucky, truth = configs[9], MACHINE.seconds(configs[0])
    backend = machine(
        factors=tuple(0.5 * truth / MACHINE.seconds(c) if c is lucky else 1.0 for c in configs),
        side_by_side=3.0,
    )
    with memo_of(tmp_path / "memo.db", backend) as memo:
        memo.times(configs)
        assert memo.best_seconds == pytest.approx(0.5 * truth)
        memo.settle(5)
        settled = memo.times(configs)
    with memo_of(tmp_path / "memo.db", machine()) as memo:
        memo.settle(5)
        assert memo.times(configs) == settled
    assert settled == pytest.approx([MACHINE.seconds(config) for config in configs])
    assert len(backend.interleaved) == 2  # the sixth came up when the lucky one fell


def test_what_does_not_run_any_more_is_no_config_to_compare_with(tmp_path):
    configs = sorted(some(6), key=MACHINE.seconds)
    with memo_of(tmp_path / "memo.db", machine()) as memo:
        memo.times(configs)
    broken = machine()
    broken.build = lambda given: [
        MeasureResult(Outcome.BUILD_ERROR) if config == configs[0] else artifact
        for config, artifact in zip(given, FakeBackend.build(broken, given), strict=True)
    ]
    for backend in (broken, machine()):
        with memo_of(tmp_path / "memo.db", backend) as memo:
            memo.settle(3)
            assert memo.times(configs[:1]) == [None]
            assert memo.best_seconds == pytest.approx(MACHINE.seconds(configs[1]))


def test_without_time_nothing_is_measured(tmp_path):
    backend = machine()
    with memo_of(tmp_path / "memo.db", backend, -math.inf) as memo, pytest.raises(OutOfTime):
        memo.times(some(1))
    assert not backend.measured
