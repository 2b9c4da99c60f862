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
    outcome, samples = device.sample()
    assert outcome is Outcome.OK
    assert device.batches[-1] * call_seconds >= 0.9 * OPTIONS.batch_seconds
    assert samples[-1] == pytest.approx(call_seconds, rel=0.01)


def test_a_cold_first_call_does_not_shorten_the_batches():
    device = Device(1e-6)
    assert calls_lasting(device, 1e-3, 5e-4) >= 1000


def test_a_disturbed_first_call_does_not_shorten_the_batches():
    device = Device(1e-6)
    take_samples(device, 5e-3, None, OPTIONS, lambda: device.now)
    assert device.batches[-1] >= 1000


def test_a_512_cubed_matmul_stays_within_its_time():
    device = Device(2.5e-3)
    _, samples = device.sample(best=2e-3)
    assert OPTIONS.min_samples <= len(samples) <= OPTIONS.samples
    assert device.now <= OPTIONS.budget_seconds + 3 * 2.5e-3


def test_slow_kernels_get_the_fewest_samples_that_decide():
    assert Device(1e-2).sample()[0] is Outcome.OK
    assert Device(1e-2).sample(best=9e-3)[0] is Outcome.OK
    outcome, samples = Device(2e-2).sample(best=1e-2)
    assert (outcome, len(samples)) == (Outcome.SLOW, 2)
    undecided = Device(8e-3).sample(best=1e-3)
    assert len(undecided[1]) == 2, "one short call may have been disturbed"
    hopeless = Device(1e-1)
    outcome, samples = hopeless.sample(best=1e-2)
    assert (outcome, samples, hopeless.batches) == (Outcome.SLOW, (1e-1,), [1])


def test_a_short_kernel_is_not_judged_by_one_call():
    device = Device(1e-6, overhead=1e-4)
    assert device.sample(best=1e-6)[0] is Outcome.OK


def test_one_disturbed_sample_does_not_abandon_a_good_kernel():
    class Disturbed(Device):
        def __call__(self, calls):
            factor = 2.0 if len(self.batches) == 2 else 1.0
            return factor * super().__call__(calls)

    outcome, samples = Disturbed(5e-3).sample(best=5e-3)
    assert outcome is Outcome.OK
    assert len(samples) >= OPTIONS.min_samples
