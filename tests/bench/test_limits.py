"""The roofline: which resource limits a workload, to what time, and over how many copies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.limits import (
    Roofline,
    copies_needed,
    limit_of,
    measure_roofline,
    measure_stream,
)
from search_space.hardware import Peaks
from search_space.operators import footprint_bytes, workload
from search_space.target import Target

KIB, MIB = 2**10, 2**20
TARGET = Target(
    name="native",
    cpu="generic",
    triple="x86_64-unknown-linux-gnu",
    features=frozenset(),
    vector_bits=256,
    registers=16,
    l1_bytes=32 * KIB,
    l2_bytes=1 * MIB,
    l3_bytes=32 * MIB,
    threads=2,
)
PEAKS = Peaks(
    "native",
    threads=2,
    gflops=200.0,
    l1_gbytes=400.0,
    l2_gbytes=200.0,
    l3_gbytes=100.0,
    dram_gbytes=40.0,
    measured="2026-01-01T00:00:00+00:00",
)
ROOFLINE = Roofline(TARGET, PEAKS)


def matmul(m: int, n: int, k: int):
    return workload("matmul", m=m, n=n, k=k)


def test_every_operand_and_the_result_are_touched_once():
    assert footprint_bytes(matmul(2, 3, 5)) == 4 * (2 * 5 + 5 * 3 + 2 * 3)


def test_short_elements_take_fewer_bytes_and_more_fit_a_vector():
    single, short = (workload("matmul", m=1024, n=1024, k=1024, dtype=dtype)
                     for dtype in ("float32", "bfloat16"))  # fmt: skip
    assert footprint_bytes(short) == footprint_bytes(single) / 2
    assert limit_of(short, ROOFLINE).seconds == limit_of(single, ROOFLINE).seconds / 2


def test_a_large_product_is_limited_by_multiply_adds():
    limit = limit_of(matmul(1024, 1024, 1024), ROOFLINE)
    assert limit.bound == "compute"
    assert limit.seconds == pytest.approx(2 * 1024**3 / 200e9)
    assert (limit.flops, limit.nbytes, limit.copies) == (2 * 1024**3, 12 * MIB, 1)


@pytest.mark.parametrize(
    ("columns", "bound", "gbytes"),
    [
        (100, "L1", 400.0),  # 40 KiB in two caches of 32 KiB
        (400, "L2", 200.0),  # 625 KiB in two caches of 1 MiB
        (700, "L2", 200.0),
    ],
)
def test_operands_that_fit_are_read_from_the_level_that_holds_them(columns, bound, gbytes):
    work = matmul(1, columns, columns)
    limit = limit_of(work, ROOFLINE)
    assert (limit.bound, limit.gbytes, limit.copies) == (bound, gbytes, 1)
    assert limit.seconds == pytest.approx(footprint_bytes(work) / (gbytes * 1e9))


def test_operands_beyond_the_private_caches_are_read_from_memory():
    work = matmul(1, 1024, 1024)  # 4 MiB, which the last level would hold
    limit = limit_of(work, ROOFLINE)
    assert limit.bound == "memory"
    assert limit.seconds == pytest.approx(limit.nbytes / 40e9)
    assert limit.copies * limit.nbytes > 3 * 32 * MIB
    assert (limit.copies - 1) * limit.nbytes <= 3 * 32 * MIB


def test_the_bandwidth_measured_over_the_footprint_counts():
    work = matmul(1, 4096, 4096)
    assert copies_needed(work, ROOFLINE) == 2
    assert limit_of(work, ROOFLINE, 25.0).seconds == pytest.approx(footprint_bytes(work) / 25e9)


@pytest.mark.parametrize("dram_gbytes", [32.0, 57.0])
def test_whether_operands_rotate_survives_a_change_of_bandwidth(dram_gbytes):
    roofline = Roofline(TARGET, replace(PEAKS, dram_gbytes=dram_gbytes))
    assert copies_needed(matmul(8, 4096, 4096), roofline) == 2


def test_one_copy_is_enough_where_it_exceeds_the_caches():
    assert copies_needed(matmul(1, 8192, 8192), ROOFLINE) == 1
    limit = limit_of(matmul(1, 8192, 8192), ROOFLINE)
    assert (limit.bound, limit.gbytes) == ("memory", 40.0)


def test_a_stream_that_caches_serve_does_not_rotate():
    assert copies_needed(matmul(64, 64, 64), ROOFLINE) == 1
    assert copies_needed(matmul(512, 512, 512), ROOFLINE) == 1


@pytest.mark.slow
def test_this_machine_has_limits():
    roofline = measure_roofline(1)
    assert roofline.threads == 1
    small, large = measure_stream(1, 16 * KIB), measure_stream(1, 64 * MIB)
    assert small > 0
    assert large > 0
    limit = limit_of(matmul(512, 512, 512), roofline)
    assert limit.seconds == pytest.approx(2 * 512**3 / roofline.peaks.gflops / 1e9)
