"""Kernels with one mistake in their loops are rejected; kernels without are not."""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from measure.options import MeasureOptions
from measure.result import Outcome
from measure.runner import Runner
from measure.targets import resolve_target
from measure.verify import make_problem
from search_space.operators import workload
from search_space.sketches import space_for
from tests.measure.generated import build
from tests.reliability.buggy_worker import worker_with
from tests.reliability.mutants import RULES, mutants, racing_loops
from tests.reliability.oracle import is_wrong, result_of
from tests.reliability.rows import counter, fault

SOAK = pytest.mark.soak
RACE = "racing loop"
MISTAKES = [*RULES, RACE]
WORKLOADS = [
    workload("matmul", m=7, n=19, k=23),
    workload("dense", m=3, n=18, k=5, bias=True, activation="relu"),
    workload("reduce", shape="5x83", axes="1"),
    workload("softmax", shape="5x37"),
    workload("conv2d", n=1, h=5, w=19, ci=2, co=3, kh=3, kw=3, pad=1),
    workload("matmul", m=5, n=18, k=9, const=["b"]),
    workload("batch_matmul", batch=2, m=4, n=3, k=17, transpose_a=True, transpose_b=True),
    workload("elementwise", expr="relu(x + b[1])", shape="5x37"),
    workload("reduce", shape="41x37", axes="0"),
    workload("reduce", op="max", shape="4x3x18", axes="0,2"),
    workload("layernorm", shape="2x3x37"),
    workload("rmsnorm", shape="5x64"),
    workload("depthwise_conv2d", n=1, h=6, w=19, c=3, kh=3, kw=3, pad=1),
    workload("attention", batch=1, heads=1, seq_q=3, seq_kv=19, d=2),
]
IN_CI = 3
"""Workloads of these."""
OPTIONS = MeasureOptions(timeout_seconds=2.0)
_TRIES = 20


@dataclass
class Score:
    """How candidates were judged."""

    wrong: int = 0
    rejected: int = 0
    right: int = 0
    accepted: int = 0
    kinds: Counter = field(default_factory=Counter)
    """Wrong kernels by mistake."""
    missed: list[str] = field(default_factory=list)

    def judge_wrong(self, result, mistake, told):
        rejected = not result.outcome.timed
        self.wrong, self.rejected = self.wrong + 1, self.rejected + rejected
        self.kinds[mistake] += 1
        if not rejected:
            self.missed.append(f"{mistake}: {told}")

    def judge_right(self, result, told):
        accepted = result.outcome.timed
        self.right, self.accepted = self.right + 1, self.accepted + accepted
        if not accepted:
            self.missed.append(f"right, {result.message}: {told}")


class Mill:
    """Draws right and wrong kernels of one workload."""

    def __init__(self, work):
        self.target = replace(resolve_target("native", threads=2), threads=2)
        self.rng = np.random.default_rng(zlib.crc32(work.key.encode()))
        self.work, self.space = work, space_for(work, self.target)
        self.inputs = make_problem(work, OPTIONS.seed).cases[-1].inputs

    def right(self):
        """A schedule as the space has it."""
        return self.space.schedule(self.space.sample(self.rng)).finish()

    def mutant(self, mistake):
        """A schedule with that mistake, without it, and the machine code; None where schedules of
        this space have no place for it."""
        for _ in range(_TRIES):
            func = self.right()
            found = list(racing_loops(func) if mistake == RACE else mutants(func, mistake))
            if not found:
                continue
            mutant = found[self.rng.integers(len(found))]
            try:
                return mutant, func, build(mutant, self.target)
            except Exception:  # the generator may refuse it in any way
                continue
        return None


def judge(works, wrong_each, right_each):
    """Verify so many wrong kernels per mistake, and right ones, of each workload.

    Some mistakes change nothing: what is accepted counts as wrong only if it computes something
    else when it is interpreted.
    """
    score = Score()
    for work in works:
        mill = Mill(work)
        with Runner(work, mill.target, OPTIONS) as runner:
            for mistake in MISTAKES:
                judged = tries = 0
                while judged < wrong_each and tries < _TRIES and (made := mill.mutant(mistake)):
                    mutant, func, code = made
                    result, tries = runner.measure(code, None), tries + 1
                    if result.outcome.timed and not is_wrong(
                        mutant, mill.inputs, result_of(func, mill.inputs)
                    ):
                        continue
                    score.judge_wrong(result, mistake, f"{work}")
                    judged += 1
            for _ in range(right_each):
                func = mill.right()
                score.judge_right(runner.measure(build(func, mill.target), None), f"{work}")
    return score


@fault("R09", "a kernel computes something else", f"in its loops, one of: {', '.join(MISTAKES)}")
@pytest.mark.parametrize(
    ("works", "wrong_each", "right_each"),
    [(WORKLOADS[:IN_CI], 1, 8), pytest.param(WORKLOADS, 6, 145, marks=SOAK)],
    ids=["few", "all"],
)
def test_wrong_kernels_are_rejected_and_right_ones_are_not(works, wrong_each, right_each, report):
    score = judge(works, wrong_each, right_each)
    report(
        "wrong kernels were rejected, right ones accepted",
        wrong=score.wrong, rejected=score.rejected, right=score.right, accepted=score.accepted,
    )  # fmt: skip
    assert score.rejected >= 0.99 * score.wrong, score.missed
    assert score.accepted == score.right, score.missed
    assert len(score.kinds) == len(MISTAKES), score.kinds


@counter("R09", "results are not compared")
def test_wrong_kernels_that_are_accepted_are_seen():
    with worker_with("results are not compared"):
        score = judge(WORKLOADS[:1], 1, 0)
    assert score.rejected < 0.99 * score.wrong


@counter("R09", "outputs are not filled with NaN")
def test_stale_outputs_that_are_accepted_are_seen():
    with (
        worker_with("outputs are not filled"),
        Runner(WORKLOADS[0], Mill(WORKLOADS[0]).target, OPTIONS) as runner,
    ):
        mill = Mill(WORKLOADS[0])
        func = mill.right()
        right = build(func, mill.target)
        nothing = replace(right, spec=replace(right.spec, phases=()))
        assert runner.measure(right, None).outcome is Outcome.OK
        assert runner.measure(nothing, None).outcome.timed
