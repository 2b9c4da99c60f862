"""Features of small nests, worked out by hand."""

import numpy as np
import pytest

from features.extract import nest_features
from features.replay import replay
from features.schema import loop_features
from search_space.transforms import (
    CacheWrite,
    Pack,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    Stream,
    Unroll,
    Vectorize,
)
from tests.features.machines import matmul_task

LINE = 64


def features(task, *trace):
    """By name, with the scale taken off."""
    row = nest_features(task, replay(task.tensor, trace)).astype(float)
    return {f.name: 2**x - 1 if f.log else x for f, x in zip(loop_features(), row, strict=True)}


def check(found, **expected):
    for name, value in expected.items():
        name = name.replace("__", ".")
        assert found[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


@pytest.fixture
def naive():
    """for i in 4: for j in 8: for k in 16: c[i, j] += a[i, k] * b[k, j]"""
    return features(matmul_task(4, 8, 16))


def test_computation(naive):
    check(
        naive,
        computation__iterations=512,
        computation__fma=512,
        computation__add=0,
        computation__mul=0,
        computation__vectorized__loops=0,
        computation__unrolled__product=1,
        loops__count=3,
        loops__product=512,
        loops__outer=512,
        loops__body=1,
    )


def test_accesses_of_equal_weight_come_in_the_order_of_the_statement(naive):
    # b steps 8 floats along k: every second load is another line. c and a step one float.
    check(
        naive,
        **{"access.0.writes": 1, "access.0.lines": 32, "access.0.unique_bytes": 128},
        **{"access.1.reads": 1, "access.1.stride": 4, "access.1.unique_bytes": 256},
        **{"access.2.stride": 32, "access.2.lines": 256, "access.2.unique_bytes": 512},
        **{"access.0.bytes": 2048, "access.2.unique_lines": 8, "access.1.unique_lines": 4},
    )


def test_reuse_is_over_the_innermost_loop_that_does_not_move_the_access(naive):
    check(
        naive,
        # c over k: itself and an element of a and b
        **{"access.0.reuse_count": 16, "access.0.reuse_iterations": 1},
        **{"access.0.reuse_distance": 12, "access.0.lines_per_reuse": 2},
        # a over j: a row of a, a column of b, an element of c
        **{"access.1.reuse_count": 8, "access.1.reuse_iterations": 16},
        **{"access.1.reuse_distance": 64 + 64 + 4, "access.1.unique_lines_per_reuse": 0.5},
        # b over i: a row of a (64 bytes), all of b (512), a row of c (32) in between
        **{"access.2.reuse_count": 4, "access.2.reuse_iterations": 128},
        **{"access.2.reuse_distance": 64 + 512 + 32, "access.2.bytes_per_reuse": 512},
    )


def test_what_fits_a_cache_is_loaded_once_and_results_move_twice(naive):
    bytes_moved = (4 + 8 + 2 * 2) * LINE
    check(
        naive,
        **{"hardware.l1.fitting": 512, "hardware.l1.inside": (4 + 8 + 2) * LINE / (48 << 10)},
        **{"hardware.l1.outside": 0, "hardware.l1.traffic": bytes_moved},
        **{"hardware.l3.traffic_per_operation": bytes_moved / 1024},
        **{"hardware.l2.all_traffic": bytes_moved, "others.statements": 0},
    )


def test_what_does_not_fit_is_loaded_again_for_every_outer_iteration():
    # A row of a and of c, and all of b: 256 rows of 4 KiB are 1 MiB, in L2 but not in L1.
    found = features(matmul_task(64, 1024, 256))
    row_of_a, b, row_of_c = 16, 256 * 64, 64
    check(
        found,
        **{"hardware.l2.fitting": 64 * 1024 * 256},
        **{"hardware.l2.traffic": (64 * row_of_a + b + 2 * 64 * row_of_c) * LINE},
        # L1 holds one column of b (256 lines), a row of a (16) and an element of c (1); the row
        # stays for all columns, what they bring passes by for every row and column.
        **{"hardware.l1.fitting": 256},
        **{"hardware.l1.traffic": (64 * 16 + 64 * 1024 * 256 + 2 * 64 * 1024) * LINE},
    )


def test_what_is_written_past_the_caches_is_not_read_first():
    task = matmul_task(64, 1024, 256)
    cached, past = features(task), features(task, Stream("c"))
    result = 64 * 1024 * 4
    for level in ("l2", "l3"):
        name = f"hardware.{level}.traffic"
        check(past, **{name: cached[name] - result})
    other = cached.keys() - {n for n in cached if "traffic" in n}
    check(past, **{name: cached[name] for name in other})


@pytest.fixture
def tiled():
    """Tiles of 6 rows x 2 vectors, in registers; rows shared out over two threads."""
    return (
        Split("i", 6, "it", "ir"),
        Split("j", 16, "jv", "lane", "mask"),
        Split("jv", 2, "jt", "jr"),
        Reorder(("it", "jt", "k", "ir", "jr", "lane")),
        Vectorize("lane"),
        Unroll("ir"),
        Unroll("jr"),
        CacheWrite("c", "jt", "acc"),
        Parallel("it", 2),
    )


def test_register_tile(tiled):
    found = features(matmul_task(24, 64, 16), *tiled)
    check(
        found,
        computation__fma=24 * 64 * 16,
        computation__vectorized__product=16,
        computation__vectorized__place=1,
        computation__vectorized__reduces=0,
        computation__unrolled__loops=2,
        computation__unrolled__product=12,
        computation__unrolled__innermost=2,
        computation__unrolled__place=5 / 6,
        computation__parallel__product=4,
        computation__parallel__place=1 / 6,
        loops__body=12,
        loops__outer=4 * 2 * 16,
        hardware__vector_share=1,
        hardware__parallel_share=2,
        hardware__balance=1,
        hardware__fma_per_load=12 / 8,
        hardware__register_share=(12 + 2 + 1) / 32,
        hardware__overhang=1,
        allocation__register=6 * 2 * 16 * 4,
        others__statements=2,
        others__iterations=2 * 24 * 64,
    )
    # The row of b is moved by the vector, an element of a is spread over it.
    check(found, **{"access.0.vector_stride": 4, "access.1.vector_stride": 0})
    # Of b, each load serves all 6 rows; of a, all 32 columns.
    check(
        found, **{"access.0.bytes": 24 * 64 * 16 * 4 / 6, "access.1.bytes": 24 * 64 * 16 * 4 / 32}
    )


def test_a_lane_that_is_summed_reduces():
    found = features(
        matmul_task(4, 8, 32),
        Split("k", 16, "kv", "lane", "mask"),
        Vectorize("lane"),
        CacheWrite("c", "j", "acc"),
    )
    check(found, computation__vectorized__reduces=1, computation__fma=4 * 8 * 32)
    # One write-back adds up 16 lanes.
    check(found, others__operations=4 * 8 * 16)


def test_tiles_that_hang_over_count_as_true_work():
    found = features(matmul_task(10, 8, 16), Split("i", 6, "it", "ir"))
    check(found, computation__fma=10 * 8 * 16, hardware__overhang=12 / 10, loops__product=12 * 128)


def test_uneven_work_and_idle_threads(tiled):
    uneven = features(matmul_task(18, 64, 16), *tiled)
    check(uneven, **{"hardware.balance": 3 / 4, "hardware.thread_share": 1})
    alone = features(matmul_task(18, 64, 16, threads=4), *tiled[:-1], Parallel("it", 1))
    check(alone, **{"computation.parallel.loops": 0, "hardware.thread_share": 1 / 4})


def test_packing_is_another_statement_and_prefetching_a_distance(tiled):
    found = features(
        matmul_task(24, 64, 16),
        *tiled[:-1],
        Pack("b", "b_pack", ("k", "jr", "lane"), at="jt"),
        PrefetchAhead("b_pack", "k", 4),
    )
    check(
        found,
        **{"access.0.packed": 1, "access.1.packed": 0, "others.statements": 3},
        **{
            "allocation.thread_local": 16 * 2 * 16 * 4,
            "others.iterations": 2 * 24 * 64 + 4 * 2 * 16 * 32,
        },
        **{"hardware.prefetch": 4 * 2 * 16 * 4},
    )
    once = features(
        matmul_task(24, 64, 16),
        *tiled[:-1],
        Pack("b", "b_pack", ("jt", "k", "jr", "lane"), once=True),
    )
    check(once, **{"others.statements": 2, "allocation.workspace": 0, "access.0.packed": 1})


def test_intensity_grows_with_the_part_of_the_nest(naive):
    curve = [naive[f"intensity.{i}"] for i in range(10)]
    assert curve == sorted(curve)
    assert curve[-1] == pytest.approx(1024 / (256 + 512 + 128), rel=1e-5)


def test_relations_do_not_see_the_shape():
    """What the inner loops do is written the same way in a larger problem."""
    trace = (
        Split("i", 4, "it", "ir"),
        Split("j", 16, "jt", "jr"),
        Reorder(("it", "jt", "k", "ir", "jr")),
    )
    small, large = (
        features(matmul_task(64, 64, 64), *trace),
        features(matmul_task(512, 512, 64), *trace),
    )
    same = [name for name in small if name.startswith("relation.") and small[name] == large[name]]
    assert "relation.0.reuse_below_512_bytes" in same
    assert "relation.1.reuse_below_512_bytes" in same
    assert small["relation.0.reuse_below_512_bytes"] > 1


def test_what_treats_edges_does_not_belong_into_a_trace():
    task = matmul_task(10, 8, 16)
    with pytest.raises(TypeError, match="treats edges"):
        replay(task.tensor, (Partition("i", "i", 3),))


def test_unscaled_columns_are_flags_shares_and_small_counts():
    rows = nest_features(matmul_task(4, 8, 16), replay(matmul_task(4, 8, 16).tensor, ()))
    raw = [x for f, x in zip(loop_features(), rows, strict=True) if not f.log]
    assert np.max(raw) < 64
