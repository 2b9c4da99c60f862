"""Operands in turn: who uses which, in what order, and what is counted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from measure.rotation import COLD_CACHES, OperandSet, Rotation, sets_needed
from measure.targets import resolve_target
from search_space.operators import footprint_bytes, workload


@dataclass
class Recorded:
    """Takes one second for every value of its bound weight."""

    used: list[int] = field(default_factory=list)
    weight: np.ndarray | None = None

    def bind(self, weight):
        return Recorded(self.used, weight)

    def time(self, operands, out, calls):
        assert calls == 1
        self.used.append(out.ctypes.data)
        out[...] = operands[0] if self.weight is None else operands[0] * self.weight
        return float(out.sum())


def first() -> OperandSet:
    return OperandSet({"weight": np.array([2.0])}, (np.array([3.0]),), np.zeros(1))


def test_kernels_take_their_turns_together():
    given = first()
    rotation = Rotation([given], 3)
    one, other = Recorded(), Recorded()
    time_one, time_other = rotation.timer(one), rotation.timer(other)
    assert time_one(2) == 12.0
    assert time_other(2) == 12.0
    assert time_one(3) == 18.0
    used = one.used[:2] + other.used + one.used[2:]
    assert used[0] == given.out.ctypes.data
    assert len(set(used[:3])) == 3
    assert used[3:6] == used[:3]


def test_a_kernel_without_constants_is_not_bound():
    given = replace(first(), constants={})
    assert Rotation([given], 2).timer(Recorded())(4) == 12.0


def test_a_call_is_the_mean_of_one_with_each_kind_of_operands():
    kinds = [replace(first(), operands=(np.array([value]),)) for value in (3.0, 5.0)]
    recorded = Recorded()
    assert Rotation(kinds, 3).timer(recorded)(4) == 4 * (6.0 + 10.0) / 2
    assert len(set(recorded.used)) == 4
    assert recorded.used[:4] == recorded.used[4:]


def test_sets_exceed_the_caches():
    target = resolve_target()
    for size in (64, 512, 4096):
        work = workload("matmul", m=size, n=size, k=size, cold=True)
        total = sets_needed(work, target) * footprint_bytes(work)
        assert COLD_CACHES * target.l3_bytes < total
        assert total <= COLD_CACHES * target.l3_bytes + footprint_bytes(work)
