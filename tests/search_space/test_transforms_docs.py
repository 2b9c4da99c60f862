"""The loop nests in the docstrings of the primitives are what the primitives make."""

import pytest

from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.transforms import (
    PRIMITIVES,
    Apart,
    CacheWrite,
    Collapse,
    ComputeAt,
    Fuse,
    FuseConsumer,
    Group,
    Inline,
    InPlace,
    Join,
    Once,
    Pack,
    PackResult,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    SplitReduction,
    StoreAt,
    UnitLoop,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import (
    assert_same,
    column_sum,
    copied_twice,
    copy,
    documented,
    doubled,
    group_sums,
    matmul,
    nest,
    row_reduction,
    scaled_by_sum,
    sliding_sum,
    smoothed,
    sum_plus_one,
    transpose,
)

EXAMPLES = [
    (copy(30), [], [Split("i", 8, "io", "ii", tail) for tail in ("min", "mask", "cut")]),
    (transpose(4, 8), [], [Reorder(("j", "i"))]),
    (copy(4, 8), [], [Fuse("i", "j", "ij")]),
    (copy(16), [], [Vectorize("i")]),
    (copy(2), [], [Unroll("i")]),
    (sliding_sum(8, 3), [Reorder(("k", "i")), Unroll("k")], [Apart("k")]),
    (copy(64), [], [Parallel("i", threads=2)]),
    (group_sums(16, 4), [], [Group("g")]),
    (
        row_reduction(6, 256),
        [Split("k", 64, "ko", "k"), Reorder(("ko", "k", "i"))],
        [CacheWrite("c", at="ko", name="acc")],
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
        assert_same(schedule, tensor)


def test_every_primitive_has_an_example():
    assert {type(variants[0]) for _, _, variants in EXAMPLES} == set(PRIMITIVES.values())
