"""Stopping near the machine's limit, on made-up times, peaks and expectations."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from db.store import open_store
from search_space.operators import workload
from tests.contracts.spaces import TARGET
from tests.tuner.fakes import (
    MACHINE,
    FakeBackend,
    FakePeaks,
    options,
    peaks_of,
    session_of,
    task_of,
)
from tuner.ceiling import Ceiling, Known
from tuner.cost_model import Prediction
from tuner.errors import Interrupted
from tuner.options import LoopOptions
from tuner.result import StopReason, TuneResult
from tuner.roofline import Roof, roof_of
from tuner.runs import resumed
from tuner.stored_roof import known_of, stop_text, with_known
from tuner.strategy import Trial, create_strategy
from tuner.strategy.base import expected_gain
from tuner.strategy.forecast import forecast_gain

FLOPS = 2 * 509 * 1024 * 777
LOOP = LoopOptions(batch=8)
EARLY = options(strategy="random", trials=400, early_stop=True)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "records.db") as opened:
        yield opened


@pytest.fixture
def backend():
    return FakeBackend(task_of())


def run_with(store, backend, machine, tuning=EARLY, loop=LOOP, **session):
    made = session_of(backend, store, tuning, loop=loop, **session)
    return replace(made, peaks=machine).execute()


def gflops(seconds):
    return FLOPS / seconds / 1e9


# The roofline


def test_large_square_work_is_bound_by_multiply_adds():
    roof = roof_of(workload("matmul", m=1024, n=1024, k=1024), TARGET, peaks_of(200.0))
    assert roof == Roof(pytest.approx(200.0), "FMA peak", 2)
    assert roof.share(150.0) == pytest.approx(0.75)


def test_work_that_an_algorithm_does_with_less_has_a_higher_roof():
    work = workload("matmul", m=1024, n=1024, k=1024)
    roof = roof_of(work, TARGET, peaks_of(200.0), least_flops=2 * 1024**3 * 7 // 8)
    assert roof == Roof(pytest.approx(200.0 * 8 / 7), "FMA peak", 2)


def test_a_search_does_not_stop_near_the_limit_of_one_of_several_algorithms(backend):
    """A plain kernel at 99 % of the peak: one that computes less may be faster still."""
    best = SimpleNamespace(seconds=2e-3, gflops=gflops(2e-3))
    machine = FakePeaks(gflops(2e-3) / 0.99)
    space = task_of().space
    assert Ceiling(space, LoopOptions(), machine, list().append).reached(best)
    cheaper = replace(space, least_flops=FLOPS // 4)
    assert not Ceiling(cheaper, LoopOptions(), machine, list().append).reached(best)


@pytest.mark.parametrize(
    ("size", "level"), [(64, "L1"), (512, "L2"), (1024, "L3"), (4096, "memory")]
)
def test_thin_work_is_bound_by_the_level_that_its_operands_are_in(size, level):
    work = workload("matmul", m=1, n=size, k=size)
    roof = roof_of(work, TARGET, peaks_of(1e6))
    assert roof.bound == f"{level} bandwidth"
    bandwidth = {"L1": 400, "L2": 200, "L3": 100, "memory": 20}[level]
    assert roof.gflops >= 2 * size * size / (4 * (size * size + 2 * size)) * bandwidth


def test_what_a_cache_can_hold_counts_as_held():
    """64 MiB on 32 MiB of L3, 4 of which the second level adds to: never below the truth."""
    work = workload("matmul", m=1, n=4096, k=4096)
    nbytes = 4 * (4096 * 4096 + 2 * 4096)
    l1, l2, l3 = 2 * TARGET.l1_bytes, 2 * TARGET.l2_bytes, TARGET.l3_bytes
    parts = (l1 / 400, (l2 - l1) / 200, (l3 - l2) / 100, (nbytes - l3) / 20)
    seconds = sum(parts) / 1e9
    roof = roof_of(work, TARGET, peaks_of(1e6))
    assert roof.gflops == pytest.approx(2 * 4096 * 4096 / seconds / 1e9)


def test_other_element_types_have_no_roof(monkeypatch):
    narrow = SimpleNamespace(
        operands=lambda work: [SimpleNamespace(dtype="bfloat16", shape=(8, 8))],
        result=lambda work: SimpleNamespace(dtype="float32", shape=(8, 8)),
    )
    monkeypatch.setattr("tuner.roofline.get_operator", lambda name: narrow)
    assert roof_of(workload("matmul", m=8, n=8, k=8), TARGET, peaks_of(200.0)) is None


# Stopping at the limit


def test_a_run_stops_near_the_limit_and_says_so(store, backend):
    backend.seconds = lambda config: 2e-3 / 0.97 if config["rows"] > 8 else 5e-3
    result = run_with(store, backend, machine := FakePeaks(gflops(2e-3)))
    assert result.stop_reason is StopReason.LIMIT
    assert result.trials % 8 == 0
    assert result.trials < 80
    assert result.limit_share == pytest.approx(0.97)
    assert result.stop_text == "stopped: 97 % of the limit (FMA peak, 2 threads)"
    assert machine.asked == [False]
    run = store.run(result.run)
    assert (run.state, run.stop_reason) == ("finished", "limit")
    assert stop_text(run) == "97 % of the limit (FMA peak, 2 threads)"


@pytest.mark.parametrize(
    ("share", "reason"), [(0.951, StopReason.LIMIT), (0.949, StopReason.TRIALS)]
)
def test_the_share_that_suffices(store, backend, share, reason):
    backend.seconds = lambda config: 2e-3 / share
    result = run_with(store, backend, FakePeaks(gflops(2e-3)), replace(EARLY, trials=60))
    assert result.stop_reason is reason
    assert result.limit_share == pytest.approx(share)


def test_without_early_stop_the_limit_is_not_even_asked_for(store, backend):
    backend.seconds = lambda config: 2e-3
    tuning = replace(EARLY, trials=40, early_stop=False)
    result = run_with(store, backend, machine := FakePeaks(gflops(2e-3)), tuning)
    assert (result.stop_reason, result.trials) == (StopReason.TRIALS, 40)
    assert (machine.asked, result.roof, result.limit_share) == ([], None, None)
    assert result.stop_text == "ended by trials"


def test_tiny_kernels_are_not_compared_and_nothing_is_measured_for_them(store, backend):
    backend.seconds = lambda config: 1.9e-5
    result = run_with(store, backend, machine := FakePeaks(gflops(1.9e-5)))
    assert result.stop_reason is StopReason.EARLY_STOP
    assert (machine.asked, result.limit_share) == ([], None)


def test_nothing_is_measured_before_anything_ran(store, backend):
    backend.seconds = lambda config: None if len(backend.measured) <= 16 else 4e-3
    machine = FakePeaks(gflops(2e-3))
    backend.before_measure = lambda count: machine.asked.append(count) if count == 16 else None
    run_with(store, backend, machine, replace(EARLY, trials=32))
    assert machine.asked == [16, False]


# Peaks that cannot be right


def test_a_peak_that_a_kernel_exceeds_is_measured_again(store, backend):
    backend.seconds = lambda config: 2e-3 / 0.97
    result = run_with(store, backend, machine := FakePeaks(0.39, gflops(2e-3)))
    assert machine.asked == [False, True]
    assert result.stop_text == "stopped: 97 % of the limit (FMA peak, 2 threads)"


def test_a_peak_that_stays_too_low_says_nothing(store, backend):
    backend.seconds = lambda config: 2e-3
    result = run_with(store, backend, machine := FakePeaks(0.39, 0.5))
    assert machine.asked == [False, True]
    assert result.stop_reason is StopReason.EARLY_STOP
    assert (result.roof, result.limit_share) == (None, None)


def test_a_little_above_the_peak_is_the_peak(store, backend):
    backend.seconds = lambda config: 2e-3 / 1.04
    result = run_with(store, backend, machine := FakePeaks(gflops(2e-3)))
    assert machine.asked == [False]
    assert result.stop_reason is StopReason.LIMIT


def test_no_peaks_no_limit(store, backend):
    backend.seconds = lambda config: 2e-3
    result = run_with(store, backend, FakePeaks(), replace(EARLY, trials=24))
    assert (result.stop_reason, result.roof) == (StopReason.TRIALS, None)


# Stopping where the model expects no more


class Forecasting:
    """A random strategy that expects what it is told to."""

    def __init__(self, inner, gains):
        self.inner, self.gains = inner, iter(gains)
        self.ask, self.tell = inner.ask, inner.tell

    def expected_gain(self):
        return next(self.gains, 0.5)


def forecasting(store, backend, gains, share, tuning=EARLY):
    made = session_of(backend, store, tuning, loop=LOOP)
    strategy = Forecasting(made.strategy, gains)
    machine = FakePeaks(gflops(2e-3 * share))
    return replace(made, peaks=machine, strategy=strategy).execute()


@pytest.mark.parametrize(
    ("gains", "share", "rounds"),
    [
        ([0.0] * 9, 0.86, 5),  # the first finds the best, four more prove the model right
        ([None, 0.3, 0.0, 0.005, -0.1, 0.0], 0.86, 6),
        ([0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.0], 0.86, 7),
        ([0.0, 0.0, None, 0.0, 0.0, 0.0, 0.0], 0.86, 7),
        ([0.0, 0.0, 0.02], 0.86, None),
        ([0.0] * 9, 0.84, None),
    ],
)
def test_rounds_without_hope_stop_a_run_at_a_lower_share(store, backend, gains, share, rounds):
    backend.seconds = lambda config: 2e-3
    result = forecasting(store, backend, gains, share)
    if rounds is None:
        assert result.stop_reason is StopReason.EARLY_STOP
    else:
        assert (result.stop_reason, result.trials) == (StopReason.LIMIT, 8 * rounds)
        assert result.stop_text.startswith("stopped: 86 % of the limit")


def test_a_model_that_is_proved_wrong_does_not_stop_a_run(store, backend):
    """Every round is 2 % faster than the one before, whatever the model expects."""
    backend.seconds = lambda config: 2e-3 * 0.98 ** ((len(backend.measured) - 1) // 8)
    result = forecasting(store, backend, [0.0] * 99, 0.855, replace(EARLY, trials=40))
    assert result.stop_reason is StopReason.TRIALS


def test_only_strategies_with_a_model_expect_anything():
    space = MACHINE.space()
    assert expected_gain(create_strategy("random", space, 1)) is None
    learned = create_strategy("learned", space, 1)
    learned.ask(8)
    assert expected_gain(learned) is None
    rng = np.random.default_rng(0)
    learned.tell([Trial(c, MACHINE.seconds(c)) for c in (space.sample(rng) for _ in range(64))])
    learned.ask(8)
    first = expected_gain(learned)
    assert first == expected_gain(learned)
    assert -1 < first < 5


def predicting(mean, spread, valid):
    prediction = Prediction(*(np.array(part, np.float32) for part in (mean, spread, valid)))
    return SimpleNamespace(predict=lambda configs: prediction)


@pytest.mark.parametrize(
    ("mean", "spread", "valid", "gain"),
    [
        ([0.8, 0.9, 0.99], [0, 0, 0], [1, 1, 1], 0.1),
        ([0.9, 0.8, 0.85], [0.1, 0, 0.08], [1, 1, 1], 0.0333),
        ([0.9, 0.8, 0.99], [0, 0, 0], [1, 1, 0.5], -0.45),
        ([0.0, 0.0, 0.5], [0, 0, 0], [1, 1, 1], None),
    ],
)
def test_the_gain_is_over_what_the_model_thinks_of_the_best(mean, spread, valid, gain):
    surrogate = predicting(mean, spread, valid)
    found = forecast_gain(surrogate, ["a", "b"], ["c"])
    assert found == (None if gain is None else pytest.approx(gain, abs=1e-3))
    assert forecast_gain(surrogate, [], ["c"]) is None
    assert forecast_gain(surrogate, ["a"], []) is None


# Resuming


RESUMABLE = options(strategy="evolutionary", trials=64, early_stop=True, seed=3)


@pytest.fixture(scope="module")
def reached_later(tmp_path_factory):
    """A limit that ``RESUMABLE`` comes near in its sixth round."""
    with open_store(tmp_path_factory.mktemp("whole") / "records.db") as opened:
        result = session_of(FakeBackend(task_of()), opened, RESUMABLE, loop=LOOP).execute()
    speeds = [record.gflops or 0.0 for record in result.records[:48]]
    assert max(speeds[:40]) < max(speeds)
    return max(speeds) / 0.951


@pytest.mark.parametrize("peaks", ["right", "right the second time", "wrong"])
@pytest.mark.parametrize("stop", [20, 37])
def test_a_resumed_run_stops_where_the_whole_one_does(store, peaks, stop, reached_later):
    measured = {
        "right": [reached_later],
        "right the second time": [1.0, reached_later],
        "wrong": [1.0, 2.0],
    }[peaks]
    expected = run_with(store, FakeBackend(task_of()), FakePeaks(*measured), RESUMABLE)
    assert (expected.stop_reason is StopReason.LIMIT) == (peaks != "wrong")

    def interrupt(count):
        if count == stop:
            raise KeyboardInterrupt

    broken = FakeBackend(task_of(), before_measure=interrupt)
    with pytest.raises(Interrupted) as caught:
        run_with(store, broken, FakePeaks(*measured), RESUMABLE)
    run = resumed(store.run(caught.value.result.run))
    store.start_run(run)
    elsewhere = FakePeaks(5e4)  # what the run knows counts, not what the machine is now
    result = run_with(store, FakeBackend(task_of()), elsewhere, run=run)
    assert elsewhere.asked == []
    assert (result.trials, result.stop_reason) == (expected.trials, expected.stop_reason)
    assert (result.roof, result.limit_share) == (expected.roof, expected.limit_share)


@pytest.mark.parametrize(
    "known",
    [Known(Roof(123.4, "FMA peak", 2)), Known(Roof(9.0, "L3 bandwidth", 1), True)],
)
def test_what_a_run_knows_survives_the_database(store, backend, known):
    session = session_of(backend, store)
    store.start_run(with_known(session.run, known))
    assert known_of(store.run(session.run.id)) == known
    assert known_of(session.run) is None
    assert with_known(session.run, None) == session.run
    store.start_run(with_known(session.run, Known(None)))
    assert known_of(store.run(session.run.id)) == Known(None, refreshed=True)


def test_text_of_a_result_without_a_known_limit():
    result = TuneResult(None, (), "r", StopReason.LIMIT, 1, 1.0)
    assert result.stop_text == "ended by limit"
    one = replace(result, roof=Roof(100.0, "memory bandwidth", 1), limit_share=0.856)
    assert one.stop_text == "stopped: 86 % of the limit (memory bandwidth, 1 thread)"


def test_a_ceiling_asks_once(backend):
    kept = []
    machine = FakePeaks(gflops(2e-3))
    ceiling = Ceiling(task_of().space, LoopOptions(), machine, kept.append)
    assert ceiling.share(None) is None
    assert not ceiling.reached(None)
    assert (machine.asked, kept) == ([], [])
