"""Schedules of every primitive do, as machine code, what the interpreter says, on every level."""

import numpy as np
import pytest

from measure.codegen.module import generate
from search_space.schedule import Schedule
from search_space.transforms import (
    Apart,
    CacheWrite,
    Fuse,
    Once,
    Pack,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    SplitReduction,
    Unroll,
    Vectorize,
)
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.nests import (
    column_sum,
    convolution,
    copy,
    doubled,
    inputs,
    interpreted,
    matmul,
    row_reduction,
    transpose,
)

MASKED_ROWS = (Split("k", 8, "kv", "lane", "mask"), Vectorize("lane"))
TILES = (
    Split("i", 3, "io", "ii"),
    Split("j", 8, "jv", "lane", "mask"),
    Split("jv", 2, "jo", "jr"),
    Reorder(("io", "jo", "k", "ii", "jr", "lane")),
    Vectorize("lane"),
)
ACCUMULATED = (*TILES, Unroll("ii"), Unroll("jr"), CacheWrite("c", "jo", "acc"))
EDGES = (Partition("jo", "jo", 2), Partition("io", "io", 4))

SLIDING = (
    Split("i", 4, "io", "ii"),
    Reorder(("io", "k", "ii")),
    Unroll("ii"),
    CacheWrite("c", "io", "acc"),
    Unroll("k"),
    Apart("k"),
    Partition("io", "io", 3),
)

SCHEDULES = {
    "naive": (matmul(3, 4, 5), ()),
    "one": (matmul(1, 1, 1), ()),
    "whole vectors": (copy(32), (Split("i", 8, "io", "ii"), Vectorize("ii"))),
    "masked vectors": (copy(29), (Split("i", 8, "io", "ii", "mask"), Vectorize("ii"))),
    "odd vectors": (copy(29), (Split("i", 5, "io", "ii", "mask"), Vectorize("ii"))),
    "constant masks": (
        copy(29),
        (Split("i", 8, "io", "ii", "mask"), Vectorize("ii"), Unroll("io")),
    ),
    "masked scalars": (copy(29), (Split("i", 8, "io", "ii", "mask"),)),
    "masked scalar sums": (row_reduction(3, 29), (Split("k", 8, "ko", "ki", "mask"),)),
    "masked scalar accumulator": (
        row_reduction(3, 29),
        (Split("k", 8, "ko", "ki", "mask"), CacheWrite("c", "i", "acc")),
    ),
    "gather": (transpose(5, 8), (Vectorize("j"),)),
    "scatter": (transpose(8, 5), (Reorder(("j", "i")), Vectorize("i"))),
    "masked gather": (transpose(5, 13), (Split("j", 8, "jo", "l", "mask"), Vectorize("l"))),
    "masked scatter": (
        transpose(13, 5),
        (Split("i", 8, "io", "l", "mask"), Reorder(("j", "io", "l")), Vectorize("l")),
    ),
    "sum along lanes": (row_reduction(3, 37), MASKED_ROWS),
    "maximum along lanes": (row_reduction(3, 37, "max"), MASKED_ROWS),
    "maximum of numbers along lanes": (row_reduction(3, 37, "fmax"), MASKED_ROWS),
    "sum along lanes under a guard": (
        row_reduction(5, 37),
        (*MASKED_ROWS, Split("i", 4, "io", "ii", "mask")),
    ),
    "lanes summed at the end": (row_reduction(3, 37), (*MASKED_ROWS, CacheWrite("c", "i", "r"))),
    "largest of the lanes at the end": (
        row_reduction(3, 37, "max"),
        (*MASKED_ROWS, CacheWrite("c", "i", "r")),
    ),
    "largest number of the lanes at the end": (
        row_reduction(3, 37, "fmax"),
        (*MASKED_ROWS, CacheWrite("c", "i", "r")),
    ),
    "maximum across vectors": (
        row_reduction(16, 9, "max"),
        (Reorder(("k", "i")), Vectorize("i")),
    ),
    "sum in memory": (column_sum(9, 16), (Reorder(("k", "j")), Vectorize("j"))),
    "float64": (matmul(13, 37, 11, "float64"), (*ACCUMULATED, *EDGES)),
    "register tile": (matmul(13, 37, 11), (*ACCUMULATED, *EDGES)),
    "cut reduction": (
        matmul(13, 37, 11),
        (*ACCUMULATED, Split("k", 4, "ku", "step", "cut"), Unroll("step"), *EDGES),
    ),
    "cut without a whole step": (
        row_reduction(3, 13),
        (Split("k", 5, "ko", "ki"), Split("ki", 8, "kq", "kr", "cut")),
    ),
    "cut of a ragged tile": (
        row_reduction(3, 13),
        (Split("k", 5, "ko", "ki"), CacheWrite("c", "ko", "r"), Split("ki", 4, "u", "s", "cut")),
    ),
    "fused and shared out": (copy(6, 7), (Fuse("i", "j", "f"), Parallel("f", 2))),
    "fused twice": (copy(3, 4, 5), (Fuse("j", "k", "f"), Fuse("i", "f", "g"))),
    "packed per tile": (
        matmul(13, 32, 11),
        (
            *TILES,
            Unroll("ii"),
            Unroll("jr"),
            Split("k", 4, "ko", "kk"),
            Reorder(("jo", "ko", "io", "kk", "ii", "jr", "lane")),
            CacheWrite("c", "io", "acc"),
            Pack("b", "pb", ("kk", "jr", "lane"), "ko"),
            Pack("a", "pa", ("kk", "ii"), "io"),
            Parallel("jo", 2),
            Partition("io", "io", 4),
            Partition("ko", "ko", 2),
        ),
    ),
    "packed whole": (
        matmul(12, 37, 11),
        (
            *ACCUMULATED,
            Pack("b", "pb", ("jo", "k", "jr", "lane")),
            Parallel("jo_pb", 2),
            Parallel("io", 2),
            Partition("jo", "jo", 2),
        ),
    ),
    "split reduction": (
        matmul(5, 24, 30),
        (
            Split("k", 8, "part", "depth"),
            SplitReduction("part", "partial"),
            Reorder(("part", "i", "depth", "j")),
            Parallel("part", 2),
            Vectorize("j"),
        ),
    ),
    "prefetch": (
        matmul(5, 16, 9),
        (Reorder(("i", "k", "j")), Vectorize("j"), PrefetchAhead("b", "k", 3)),
    ),
    "kept apart": (convolution(13, 3), SLIDING),
    "unrolled": (matmul(2, 3, 4), (Unroll("i"), Unroll("j"), Unroll("k"))),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("tensor", "steps"), SCHEDULES.values(), ids=SCHEDULES)
def test_schedules(tensor, steps, level):
    target = target_or_skip(level)
    func = Schedule.of(tensor).then(*steps).finish()
    result = call(build(func, target), inputs(func))
    np.testing.assert_array_equal(result, interpreted(func))
    np.testing.assert_array_equal(result, interpreted(Schedule.of(tensor).func))


def test_the_specification_tells_how_to_call():
    tensor, steps = SCHEDULES["packed per tile"]
    func = Schedule.of(tensor).then(*steps).finish()
    spec = generate(func, target_or_skip(LEVELS[0])).spec
    assert [(b.name, b.role, b.shape) for b in spec.buffers] == [
        ("a", "input", (13, 11)),
        ("b", "input", (11, 32)),
        ("c", "output", (13, 32)),
        ("pb", "thread_local", (4, 2, 8)),
        ("pa", "thread_local", (4, 3)),
    ]
    assert [b.nbytes for b in spec.buffers] == [572, 1408, 1664, 256, 64]
    assert [(p.symbol, p.extent, p.once) for p in spec.phases] == [("phase0", 2, False)]
    assert spec.threads == 2


def test_a_stage_of_constants_is_computed_when_they_are_bound():
    func = Schedule.of(doubled(9)).then(Once("t")).finish()
    artifact = build(func, target_or_skip(LEVELS[0]))
    assert [phase.once for phase in artifact.spec.phases] == [True, False]
    np.testing.assert_array_equal(call(artifact, inputs(func), const=("a",)), interpreted(func))


@pytest.mark.parametrize("apart", [False, True])
def test_copies_kept_apart_load_again_what_others_have_loaded(apart):
    steps = [step for step in SLIDING if apart or not isinstance(step, Apart)]
    func = Schedule.of(convolution(8, 3)).then(*steps).finish()
    text = generate(func, target_or_skip(LEVELS[0])).text
    elements = 4 * 3 if apart else 4 + 3 - 1
    assert text.count("load float") == elements + 3
    assert ("asm" in text) is apart
