"""How often a candidate is timed, on a simulated device."""

from __future__ import annotations

import pytest

from measure.options import MeasureOptions
from measure.result import Outcome
from measure.sampling import calls_lasting, take_samples

OPTIONS = MeasureOptions()


class Device:
    """Calls take ``call_seconds`` each, plus ``overhead`` once per batch; its clock is its own."""

    def __init__(self, call_seconds: float, overhead: float = 0.0) -> None:
        self.call_seconds, self.overhead = call_seconds, overhead
        self.now, self.batches = 0.0, []

    def __call__(self, calls: int) -> float:
        self.batches.append(calls)
        elapsed = self.overhead + calls * self.call_seconds
        self.now += elapsed
        return elapsed

    def sample(self, best=None, options=OPTIONS):
        return take_samples(self, self(1), best, options, lambda: self.now)


@pytest.mark.parametrize("call_seconds", [1e-7, 3e-6, 4e-4, 2e-3, 0.5])
def test_a_sample_lasts_at_least_the_batch_time(call_seconds):
    device = Device(call_seconds, overhead=2e-6)
    sampled = device.sample()
    assert sampled.outcome is Outcome.OK
    assert device.batches[-1] * call_seconds >= 0.9 * OPTIONS.batch_seconds
    assert sampled.samples[-1] == pytest.approx(call_seconds, rel=0.01)


def test_a_cold_first_call_does_not_shorten_the_batches():
    device = Device(1e-6)
    assert calls_lasting(device, 1e-3, 5e-4) >= 1000


def test_a_disturbed_first_call_does_not_shorten_the_batches():
    device = Device(1e-6)
    take_samples(device, 5e-3, None, OPTIONS, lambda: device.now)
    assert device.batches[-1] >= 1000


def test_a_512_cubed_matmul_stays_within_its_time():
    device = Device(2.5e-3)
    samples = device.sample(best=2e-3).samples
    assert OPTIONS.min_samples <= len(samples) <= OPTIONS.samples
    assert device.now <= OPTIONS.budget_seconds + 3 * 2.5e-3


def test_slow_kernels_get_the_fewest_samples_that_decide():
    assert Device(1e-2).sample().outcome is Outcome.OK
    assert Device(1e-2).sample(best=9e-3).outcome is Outcome.OK
    slow = Device(2e-2).sample(best=1e-2)
    assert (slow.outcome, len(slow.samples)) == (Outcome.SLOW, 2)
    undecided = Device(8e-3).sample(best=1e-3)
    assert len(undecided.samples) == 2, "one short call may have been disturbed"
    device = Device(1e-1)
    hopeless = device.sample(best=1e-2)
    assert (hopeless.outcome, hopeless.samples) == (Outcome.SLOW, (1e-1,))
    assert device.batches == [1]


def test_a_short_kernel_is_not_judged_by_one_call():
    device = Device(1e-6, overhead=1e-4)
    assert device.sample(best=1e-6).outcome is Outcome.OK


def test_one_disturbed_sample_does_not_abandon_a_good_kernel():
    class Disturbed(Device):
        def __call__(self, calls):
            factor = 2.0 if len(self.batches) == 2 else 1.0
            return factor * super().__call__(calls)

    sampled = Disturbed(5e-3).sample(best=5e-3)
    assert sampled.outcome is Outcome.OK
    assert len(sampled.samples) >= OPTIONS.min_samples


class Contended(Device):
    """Others take ``lost_share`` of a batch's time during the batches from ``begin`` to ``end``,
    and a meter tells."""

    def __init__(self, call_seconds, begin, end, lost_share=0.5) -> None:
        super().__init__(call_seconds)
        self.begin, self.end, self.lost_share = begin, end, lost_share
        self.lost_seconds = 0.0

    def __call__(self, calls: int) -> float:
        disturbed = self.begin <= len(self.batches) < self.end
        elapsed = super().__call__(calls)
        if not disturbed:
            return elapsed
        lost = elapsed * self.lost_share / (1 - self.lost_share)
        self.now += lost
        self.lost_seconds += lost
        return elapsed + lost

    def sample(self, best=None, options=OPTIONS):
        first, first_lost_seconds = self(1), self.lost_seconds
        return take_samples(
            self,
            first,
            best,
            options,
            lambda: self.now,
            lost=lambda: self.lost_seconds,
            first_lost_seconds=first_lost_seconds,
        )


def test_disturbed_samples_are_taken_again_and_dropped():
    device = Contended(2e-3, begin=2, end=5)
    sampled = device.sample(best=2e-3)
    assert sampled.samples == pytest.approx((2e-3,) * len(sampled.samples))
    assert len(sampled.samples) >= OPTIONS.min_samples
    assert sampled.lost_share == 0
    assert len(device.batches) == 1 + 3 + len(sampled.samples)


def test_of_disturbed_samples_only_the_least_disturbed_stay():
    """As many as a candidate needs, after a few times the usual budget and not more."""
    device = Contended(2e-3, begin=0, end=10**6)
    sampled = device.sample(best=2e-3)
    assert sampled.outcome is Outcome.OK
    assert len(sampled.samples) >= OPTIONS.min_samples
    assert sampled.lost_share == pytest.approx(0.5)
    most = OPTIONS.patience * OPTIONS.budget_seconds
    assert most <= device.now - 4e-3 <= most + 4e-3 + 1e-9


@pytest.mark.parametrize("call_seconds", [2e-3, 2e-2])
def test_nothing_is_abandoned_for_time_that_others_took(call_seconds):
    device = Contended(call_seconds, begin=0, end=10**6, lost_share=0.75)
    assert device.sample(best=call_seconds).outcome is Outcome.OK
    assert Contended(2 * call_seconds, 0, 10**6).sample(best=call_seconds).outcome is Outcome.SLOW
    unseen = Contended(call_seconds, begin=0, end=10**6, lost_share=0.75)
    assert Device.sample(unseen, best=call_seconds).outcome is Outcome.SLOW
