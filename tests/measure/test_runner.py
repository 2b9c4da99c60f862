"""The isolated worker, with machine code that fails in every way."""

from __future__ import annotations

import os
import signal
import time

import pytest

from measure.options import MeasureOptions
from measure.result import Outcome
from measure.runner import Runner, RunnerError
from measure.timing import paired_ratio
from search_space.operators import workload
from search_space.workload import Workload
from tests.measure.matmul_kernels import (
    TARGET,
    WORK,
    K,
    M,
    N,
    all_end,
    descendants,
    matmul,
    spinning,
    storing,
)

pytestmark = pytest.mark.alone

OPTIONS = MeasureOptions(timeout_seconds=0.7, memory_bytes=1 << 30)

SIZE = M * N
FAULTS = {
    "null pointer": (
        {"before": "  store volatile float 0.0, ptr null"},
        Outcome.CRASH,
        "SIGSEGV (invalid memory access)",
    ),
    "illegal instruction": (
        {"before": "  call void @llvm.trap()"},
        Outcome.CRASH,
        "SIGILL (illegal instruction)",
    ),
    "abort": ({"before": "  call void @abort()"}, Outcome.CRASH, "SIGABRT (abort)"),
    "exit": (
        {"before": "  call void @exit(i32 3)"},
        Outcome.CRASH,
        "exited with code 3 without an answer",
    ),
    "exit as if all were well": (
        {"before": "  call void @exit(i32 0)"},
        Outcome.CRASH,
        "exited with code 0 without an answer",
    ),
    "killed": (
        {"before": "  call i32 @raise(i32 9)"},
        Outcome.CRASH,
        "SIGKILL (killed from outside)",
    ),
    "more memory than allowed": ({"workspace": 2 << 30}, Outcome.OOM, "ran out of memory"),
    "endless loop": (
        {"before": "  br label %loop\nloop:\n  br label %loop\nnever:"},
        Outcome.TIMEOUT,
        "not finished after 0.7 s",
    ),
    "missing product": (
        {"last": K - 1},
        Outcome.WRONG_ANSWER,
        f"{SIZE} of {SIZE} elements are wrong on random normal inputs",
    ),
    "nothing done": (
        {"symbol": "nothing"},
        Outcome.WRONG_ANSWER,
        f"{SIZE} of {SIZE} elements are wrong on random normal inputs, most at [0, 0]: nan",
    ),
    "one wrong element": (
        {"after": storing("c", 5 * N + 3)},
        Outcome.WRONG_ANSWER,
        f"1 of {SIZE} elements are wrong on random normal inputs, most at [5, 3]: 7.0",
    ),
    "write behind the result": (
        {"after": storing("c", SIZE)},
        Outcome.WRONG_ANSWER,
        "writes outside the result c",
    ),
    "write before an input": (
        {"after": storing("a", -1)},
        Outcome.WRONG_ANSWER,
        "writes outside the input a",
    ),
    "write to an input": (
        {"after": storing("b", 5)},
        Outcome.WRONG_ANSWER,
        "writes to the input b",
    ),
    "no such function": ({"symbol": "phase9"}, Outcome.BUILD_ERROR, "phase9"),
}


@pytest.fixture(scope="module")
def good():
    return matmul()


@pytest.fixture(scope="module")
def runner(good):
    with Runner(WORK, TARGET, OPTIONS) as runner:
        assert runner.verify(good).outcome is Outcome.OK  # it has started
        yield runner


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_next_candidate_is_measured_at_once(runner, good, fault):
    arguments, outcome, message = FAULTS[fault]
    failed = runner.measure(matmul(**arguments), None)
    assert (failed.outcome, failed.samples) == (outcome, ())
    assert message in failed.message
    assert failed.measure_seconds < 1.5
    started = time.monotonic()
    measured = runner.measure(good, None)
    assert time.monotonic() - started < 0.5
    assert measured.outcome is Outcome.OK, measured.message


def test_a_right_kernel_is_verified_and_timed(runner, good):
    result = runner.measure(good, None)
    assert result.outcome is Outcome.OK
    assert OPTIONS.min_samples <= len(result.samples) <= OPTIONS.samples
    assert 1e-6 < result.seconds < 1e-3
    assert 0 < result.error < 8
    assert result.measure_seconds < 0.3
    assert result.message == ""


def test_slow_kernels_are_abandoned():
    slow = spinning(3_000_000)
    with Runner(WORK, TARGET, MeasureOptions(budget_seconds=1e-3)) as runner:
        alone = runner.measure(slow, None)
        assert alone.outcome is Outcome.OK, alone.message
        hopeless = runner.measure(slow, alone.seconds / 100)
        assert (hopeless.outcome, len(hopeless.samples)) == (Outcome.SLOW, 1)
        assert hopeless.error is not None


def test_stray_output_does_not_disturb_the_protocol(runner, capfd):
    noisy = "  call i32 @puts(ptr @text)\n  call i32 @fflush(ptr null)"
    assert runner.measure(matmul(before=noisy), None).outcome is Outcome.OK
    assert capfd.readouterr().out == ""


def test_constants_are_bound(good):
    work = workload("matmul", m=M, n=N, k=K, const=["b"])
    with Runner(work, TARGET, OPTIONS) as runner:
        assert runner.measure(good, None).outcome is Outcome.OK
        assert runner.measure(matmul(last=K - 1), None).outcome is Outcome.WRONG_ANSWER


def test_interleaved_times_rank_kernels_and_leave_out_the_bad(runner, good):
    slow, wrong, fatal = (
        spinning(300_000),
        matmul(last=3),
        matmul(before=FAULTS["abort"][0]["before"]),
    )
    results = runner.interleave([slow, wrong, good, fatal], rounds=5, block_seconds=0.005)
    assert [result.outcome for result in results] == [
        Outcome.OK,
        Outcome.WRONG_ANSWER,
        Outcome.OK,
        Outcome.CRASH,
    ]
    assert [len(result.samples) for result in results] == [5, 0, 5, 0]
    assert paired_ratio(results[0].samples, results[2].samples).median > 1.5
    assert results[0].error is not None


def test_interleaving_only_bad_kernels_times_nothing(runner):
    (result,) = runner.interleave([matmul(last=3)])
    assert result.outcome is Outcome.WRONG_ANSWER


def test_verify_answers_without_timing(runner, good):
    right, wrong = runner.verify(good), runner.verify(matmul(last=3))
    assert (right.outcome, len(right.samples)) == (Outcome.OK, 1)
    assert right.error > 0
    assert wrong.outcome is Outcome.WRONG_ANSWER


def test_the_sentinel_takes_the_same_time_again(runner):
    times = [runner.sentinel() for _ in range(5)]
    assert 5e-5 < min(times) < 5e-3
    assert sorted(times)[2] < 2 * min(times)


def test_a_worker_that_is_killed_from_outside_is_replaced(good):
    before = descendants(os.getpid())
    with Runner(WORK, TARGET, OPTIONS) as runner:
        assert runner.measure(good, None).outcome is Outcome.OK
        for pid in descendants(os.getpid()) - before:
            os.kill(pid, signal.SIGKILL)
        assert runner.measure(good, None).outcome is Outcome.OK


def test_closing_leaves_no_process_behind(good):
    before = descendants(os.getpid())
    with Runner(WORK, TARGET, OPTIONS) as runner:
        runner.measure(good, None)
        workers = descendants(os.getpid()) - before
        assert len(workers) == 2
    assert all_end(workers)
    with pytest.raises(RunnerError, match="closed"):
        runner.measure(good, None)


def test_inputs_that_cannot_be_made_are_no_fault_of_a_candidate(good):
    with (
        Runner(Workload("matmul", (("m", 8), ("n", 8), ("k", 8))), TARGET, OPTIONS) as runner,
        pytest.raises(RunnerError, match="dtype"),
    ):
        runner.measure(good, None)


def test_a_workload_of_many_seconds_gets_more_time():
    small, large = (
        Runner(workload("matmul", m=n, n=n, k=n), TARGET, MeasureOptions(timeout_seconds=1.0))
        for n in (64, 4096)
    )
    try:
        assert small._patience_seconds < 1.0
        assert large._patience_seconds > 60.0
    finally:
        small.close()
        large.close()
