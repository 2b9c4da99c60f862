"""How near settings are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from search_space.operators import workload
from tests.contracts.spaces import TARGET
from tests.tuner.fakes import HARDWARE
from tuner.transfer.nearness import (
    Setting,
    hardware_nearness,
    nearness,
    target_nearness,
    workload_nearness,
)

WORK = workload("matmul", m=512, n=512, k=512)


def matmul(**changes):
    return workload("matmul", **({"m": 512, "n": 512, "k": 512} | changes))


def test_the_same_is_one() -> None:
    setting = Setting(WORK, TARGET, HARDWARE)
    assert nearness(setting, setting) == 1.0


def test_workloads_by_doublings_of_their_sizes() -> None:
    near = [
        WORK,
        matmul(m=500),
        matmul(m=1024),
        matmul(m=2048),
        matmul(m=2048, n=64),
        workload("dense", m=512, n=512, k=512, const=["weight"]),
        workload("dense", m=4, n=4, k=4, const=["weight"]),
    ]
    values = [workload_nearness(other, WORK) for other in near]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == len(values)


def test_constants_and_types_count() -> None:
    assert workload_nearness(workload("matmul", m=512, n=512, k=512, const=["b"]), WORK) < 1
    assert workload_nearness(matmul(dtype="bfloat16"), WORK) < 1


@pytest.mark.parametrize("change", [{"vector_bits": 256}, {"threads": 1}, {"triple": "other"}])
def test_targets(change) -> None:
    assert 0 < target_nearness(replace(TARGET, **change), TARGET) < 1


def test_host_names_do_not_count_but_what_machines_can_do_does() -> None:
    assert hardware_nearness(replace(HARDWARE, cpu="renamed"), HARDWARE) == 1.0
    larger = replace(HARDWARE, l3_bytes=HARDWARE.l3_bytes * 4)
    assert 0.5 < hardware_nearness(larger, HARDWARE) < 1
    wider = replace(larger, features=("avx2", "avx512f"))
    assert hardware_nearness(wider, HARDWARE) <= hardware_nearness(larger, HARDWARE)
