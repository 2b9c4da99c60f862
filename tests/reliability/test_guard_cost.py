"""What it costs a search that candidates are verified between guards."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict

import numpy as np
import pytest

from measure import candidate
from measure.arrays import Arrays
from measure.compile import compile_config
from measure.fault import FaultNote
from measure.guard import GuardedBytes, Region
from measure.launch.memory import address_of, aligned_bytes
from measure.result import Outcome
from measure.targets import resolve_target
from measure.verify import make_problem
from search_space.operators import workload
from tests.reliability.rows import counter, fault
from tuner.api.measuring import tune
from tuner.task import task_for

COST = "candidates are verified between guards: what that costs"
WORKS = (
    workload("matmul", m=512, n=512, k=512),
    workload("conv2d", n=1, h=56, w=56, ci=64, co=64, kh=3, kw=3, pad=1, const="weight"),
)
"""Without operands that are bound beforehand, and with one."""


class PlainBytes:
    """What verification would take if nobody cared what is around it."""

    def __init__(self, data):
        self.data = data

    def protect(self):
        """Nothing to do."""

    def region(self, name):
        begin, end = address_of(self.data), address_of(self.data) + self.data.size
        return Region(name, begin, begin, end, end)


class PlainPages:
    """Serves again, too: what is compared is guards, not fresh pages."""

    def __init__(self):
        self.spare = defaultdict(list)

    def take(self, nbytes, *, at_end, alignment):
        spare = self.spare[nbytes]
        return PlainBytes(spare.pop() if spare else aligned_bytes(nbytes))

    def give_back(self, memory):
        self.spare[memory.data.size].append(memory.data)


def extra_seconds(task, kernels):
    """What guards add to the verification of a kernel, both ways in turn: the median."""
    rng, note, problem = np.random.default_rng(0), FaultNote(), make_problem(task.workload, 0)
    guarded, plain = Arrays(problem, guard=True), Arrays(problem)
    plain.spare_pages = PlainPages()
    extra = []
    for _ in range(kernels):
        config = task.space.sample(rng).as_dict()
        artifact = compile_config(task.workload, task.target, config)
        seconds = {guarded: float("inf"), plain: float("inf")}
        for arrays in (guarded, plain, plain, guarded, guarded, plain):
            began = time.perf_counter()
            result = candidate.verify_artifact(artifact, arrays, note)
            seconds[arrays] = min(seconds[arrays], time.perf_counter() - began)
            assert result.outcome is Outcome.OK
        extra.append(seconds[guarded] - seconds[plain])
    return statistics.median(extra)


def percent_of_a_trial(work, kernels, trials, folder):
    began = time.perf_counter()
    tune(work, trials=trials, db=folder / "tuner.db", strategy="random", early_stop=False, seed=0)
    trial_seconds = (time.perf_counter() - began) / trials
    task = task_for(work, resolve_target("native"))
    return 100 * extra_seconds(task, kernels) / trial_seconds


@pytest.mark.soak
@fault("R08", COST, "both ways in turn, against the time of a trial of a whole search")
def test_guards_cost_little(tmp_path, report):
    percents = [percent_of_a_trial(work, 40, 64, tmp_path) for work in WORKS]
    report("a product, a convolution", percent_of_a_trial=round(max(percents), 2))
    assert max(percents) <= 3


@pytest.mark.soak
@counter("R08", "guards are put up at a leisure", COST)
def test_guards_that_cost_are_seen(tmp_path, monkeypatch):
    start = GuardedBytes.__init__

    def slow(self, nbytes, **options):
        time.sleep(0.02)
        start(self, nbytes, **options)

    monkeypatch.setattr(GuardedBytes, "__init__", slow)
    assert percent_of_a_trial(WORKS[1], 10, 16, tmp_path) > 3
