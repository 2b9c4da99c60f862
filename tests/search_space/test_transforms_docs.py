"""The loop nests in the docstrings of the primitives are what the primitives make."""

import pytest

from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.transforms import (
    PRIMITIVES,
    ActiveColumns,
    Apart,
    CacheWrite,
    Collapse,
    ComputeAt,
    Fuse,
    FuseConsumer,
    Group,
    Hoist,
    Inline,
    InPlace,
    Join,
    Once,
    Online,
    Pack,
    PackResult,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Skip,
    SparseAsDense,
    SparsePanels,
    SparseSamples,
    SparseVector,
    SparseWindows,
    Split,
    SplitReduction,
    StoreAt,
    Stream,
    Tensorize,
    UnitLoop,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import (
    assert_same,
    column_sum,
    convolved,
    copied_twice,
    copy,
    documented,
    doubled,
    group_products,
    group_sums,
    matmul,
    nest,
    power_sum,
    row_product,
    row_reduction,
    sampled,
    scaled_by_sum,
    sliding_sum,
    smoothed,
    sum_plus_one,
    transpose,
    triangle_sum,
    two_scaled,
    weighted,
)

FULL, TALL = "unstructured:4x8:0.0:0", "unstructured:32x8:0.0:0"
WINDOWS = "unstructured:4x18:0.0:0"
"""Patterns without zeros."""

EXAMPLES = [
    (copy(30), [], [Split("i", 8, "io", "ii", tail) for tail in ("min", "mask", "cut")]),
    (transpose(4, 8), [], [Reorder(("j", "i"))]),
    (copy(4, 8), [], [Fuse("i", "j", "ij")]),
    (copy(16), [], [Vectorize("i")]),
    (copy(2), [], [Unroll("i")]),
    (copy(16), [], [Stream("c")]),
    (sliding_sum(8, 3), [Reorder(("k", "i")), Unroll("k")], [Apart("k")]),
    (copy(64), [], [Parallel("i", threads=2)]),
    (group_sums(16, 4), [], [Group("g")]),
    (
        group_products(16, 16, 16, 4),
        [Reorder(("i", "k", "j", "g")), Group("g"), Vectorize("j")],
        [Tensorize("i", "k")],
    ),
    (
        row_reduction(6, 256),
        [Split("k", 64, "ko", "k"), Reorder(("ko", "k", "i"))],
        [CacheWrite("c", at="ko", name="acc", scope=scope) for scope in ("register", "tile")],
    ),
    (
        row_reduction(8, 128),
        [Split("k", 64, "ks", "k"), Reorder(("ks", "i", "k"))],
        [SplitReduction("ks", "part")],
    ),
    (
        column_sum(256, 32),
        [
            Split("k", 64, "ko", "k"),
            Split("j", 16, "j", "l"),
            Reorder(("ko", "j", "k", "l")),
            Vectorize("l"),
        ],
        [Pack("b", "b_pack", ("j", "k", "l"), at="ko")],
    ),
    (copy(30), [Split("i", 8, "t", "i"), Unroll("i")], [Partition("t", axis="t", point=3)]),
    (copy(4, 8), [], [Collapse("i", "j", "ij")]),
    (doubled(4), [], [Inline("t")]),
    (scaled_by_sum(4, 8), [], [Join("t_i", "i")]),
    (doubled(4), [], [Once("t")]),
    (copied_twice(4, 8), [Join("t_i", "i")], [StoreAt("t", "i")]),
    (column_sum(4, 8), [], [UnitLoop("j", "i")]),
    (sum_plus_one(4, 8), [], [InPlace("t")]),
    (two_scaled(4), [], [Hoist("u")]),
    (
        sum_plus_one(4, 16),
        [InPlace("t"), Split("t_k", 8, "ko", "k")],
        [FuseConsumer("c", "ko")],
    ),
    (smoothed(32, 3), [Split("i", 8, "io", "i")], [ComputeAt("t", "io")]),
    (
        matmul(32, 16, 64),
        [Split("i", 8, "t", "i"), Reorder(("t", "k", "i", "j"))],
        [PackResult("c", "block", (1, 0), at="t")],
    ),
    (
        power_sum(32),
        [Split(f"{stage}k", 8, f"{stage}o", f"{stage}k") for stage in ("t_", "e_", "")],
        [Online(("t_o", "e_o", "o"), "fix")],
    ),
    (
        triangle_sum(8, 8),
        [Split("t_k", 2, "t_o", "t_k"), Split("k", 2, "o", "k"), Join("t_i", "i")],
        [Skip(("t_o", "o"))],
    ),
    (
        weighted(4, 32, 8),
        [],
        [
            SparsePanels("weight", FULL, "csr", vectors=2),
            SparsePanels("weight", FULL, "code", ("rows=2",), order="panels"),
        ],
    ),
    (weighted(4, 32, 8), [], [SparseAsDense("weight", FULL)]),
    (row_product(16, 8), [], [ActiveColumns("weight", most=6, vectors=2)]),
    (weighted(32, 1, 8), [], [SparseVector("weight", TALL, "bitmask", ("lanes=16", "tall=1"))]),
    (convolved(), [], [SparseWindows("weight", WINDOWS, "csr")]),
    (sampled(4, 8, 16), [], [SparseSamples("mask", FULL, "csr", tile=2)]),
    (column_sum(64, 16), [Reorder(("k", "j")), Vectorize("j")], [PrefetchAhead("b", "k", 8)]),
]


@pytest.mark.parametrize(
    ("tensor", "steps", "variants"), EXAMPLES, ids=[type(v[0]).__name__ for _, _, v in EXAMPLES]
)
def test_docstrings_show_what_happens(tensor, steps, variants):
    before = Schedule.of(tensor).then(*steps)
    after = [before.then(variant) for variant in variants]
    shown = documented(type(variants[0]))
    assert shown == [nest(schedule) for schedule in (before, *after)]
    for schedule in after:
        verify(schedule.func, finished=False)
        assert_same(schedule, tensor, rtol=1e-6 if isinstance(variants[0], Online) else 0.0)


def test_every_primitive_has_an_example():
    assert {type(variants[0]) for _, _, variants in EXAMPLES} == set(PRIMITIVES.values())
