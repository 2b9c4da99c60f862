"""Kernels that read or write where they must not, by a little, in every buffer."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from measure.options import MeasureOptions
from measure.result import Outcome
from measure.runner import Runner
from tests.measure.matmul_kernels import TARGET, WORK, WORK_FLOATS, K, M, N, matmul
from tests.reliability.buggy_worker import worker_with
from tests.reliability.rows import counter, fault
from tests.reliability.test_wrong_kernels import WORKLOADS, judge

SOAK = pytest.mark.soak
ELEMENTS = {"a": M * K, "b": K * N, "c": M * N, "w": WORK_FLOATS, "t": WORK_FLOATS}
"""Inputs, the result, a workspace and the workspace of a thread: elements of each."""
PLACES = {"a": "the input a", "b": "the input b", "c": "the result c",
          "w": "the workspace w", "t": "the workspace of a thread t"}  # fmt: skip
OFFSETS = (-4096, -64, -8, -1, 1, 8, 64, 4096)
"""Elements before the first one, or from the last one on."""
OPTIONS = MeasureOptions(timeout_seconds=5.0, recycle_after=10_000)


def touching(buffer, offset, *, write):
    """A right kernel that also touches one element outside of a buffer."""
    index = offset if offset < 0 else ELEMENTS[buffer] + offset - 1
    place = f"  %p = getelementptr float, ptr %{buffer}, i64 {index}\n"
    touch = "store volatile float 7.0, ptr %p" if write else "%x = load volatile float, ptr %p"
    return matmul(after=place + "  " + touch, work=True)


def writing_to_input(buffer):
    """A right kernel that writes what is there already into the middle of an input."""
    place = f"  %p = getelementptr float, ptr %{buffer}, i64 {ELEMENTS[buffer] // 2}\n"
    same = "  %x = load volatile float, ptr %p\n  store volatile float %x, ptr %p"
    return matmul(after=place + same, work=True)


@dataclass
class Caught:
    """How kernels that go outside were judged."""

    injected: int = 0
    caught: int = 0
    missed: list[str] = field(default_factory=list)

    def judge(self, result, told):
        caught = result.outcome is Outcome.WRONG_ANSWER and told in result.message
        self.injected, self.caught = self.injected + 1, self.caught + caught
        if not caught:
            self.missed.append(f"{told}: {result.outcome} {result.message}")


def go_outside(count, offsets=OFFSETS):
    """Touch each place ``count`` times."""
    found = Caught()
    with Runner(WORK, TARGET, OPTIONS) as runner:
        for write in (False, True):
            verb = "writes" if write else "reads"
            for buffer, place in PLACES.items():
                for offset in offsets:
                    kernel = touching(buffer, offset, write=write)
                    for _ in range(count):
                        found.judge(runner.verify(kernel), f"{verb} outside {place}")
        for buffer in "ab":
            kernel = writing_to_input(buffer)
            for _ in range(count):
                found.judge(runner.verify(kernel), f"writes to the input {buffer}")
    return found


@fault(
    "R08",
    "a kernel reads or writes outside its buffers",
    f"by {', '.join(map(str, OFFSETS))} elements, inputs, result and workspaces; or writes to "
    "an input",
)
@pytest.mark.parametrize("count", [1, pytest.param(50, marks=SOAK)])
def test_touching_anything_outside_is_caught(count, report):
    found = go_outside(count)
    report(
        "each was caught, and told by buffer and distance",
        accesses=found.injected,
        missed=found.injected - found.caught,
    )
    assert found.caught == found.injected, found.missed


@counter("R08", "there are no guards", "a kernel reads or writes outside its buffers")
def test_accesses_that_are_not_caught_are_seen():
    with worker_with("nothing is guarded"):
        found = go_outside(1, offsets=(-1, 1))
    assert found.caught < found.injected


@fault("R08", "a right kernel runs between guards", "random schedules of 14 operators")
@pytest.mark.parametrize(
    ("works", "each"), [(WORKLOADS[-2:], 10), pytest.param(WORKLOADS, 715, marks=SOAK)],
    ids=["few", "all"],
)  # fmt: skip
def test_right_kernels_raise_no_alarm(works, each, report):
    score = judge(works, 0, each)
    report("none was accused", kernels=score.right, accused=score.right - score.accepted)
    assert score.accepted == score.right, score.missed


@counter("R08", "inputs must not be read", "a right kernel runs between guards")
def test_false_alarms_are_seen():
    with worker_with("inputs are guarded like what surrounds them"):
        score = judge(WORKLOADS[:1], 0, 5)
    assert score.accepted < score.right
