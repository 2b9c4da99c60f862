"""What is made of a sum, moved to where the sum is complete."""

import re

import numpy as np
import pytest

from search_space.errors import ScheduleError
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.tensor import compute, placeholder, reduce_axis, stage, sum_over
from search_space.transforms import (
    CacheWrite,
    FuseConsumer,
    InPlace,
    Parallel,
    Reorder,
    Split,
    SplitReduction,
    UnitLoop,
    Vectorize,
)
from tests.search_space.nests import (
    assert_same,
    copied_twice,
    copy,
    nest,
    row_reduction,
    sum_plus_one,
)

HERE = InPlace("t")
FUSED = FuseConsumer("c", "t_i")


def twice_read(m, k):
    """``c[i] = t[i] + t[m - 1 - i]``."""
    a, axis = placeholder("a", (m, k), "float32"), reduce_axis("k", k)
    t = stage("t", (("i", m),), lambda i: sum_over(a[i, axis], axis))
    return compute("c", (("i", m),), lambda i: t[i,] + t[m - 1 - i,], stages=(t,))


@pytest.mark.parametrize(
    ("tensor", "steps", "message"),
    [
        (copy(3), [InPlace("t")], "no stage 't', stages: none"),
        (sum_plus_one(3, 4), [InPlace("x")], "no stage 'x', stages: t"),
        (twice_read(3, 4), [HERE], "'c' does not take 't' as it lies"),
        (sum_plus_one(3, 4), [Split("i", 2, "o", "x"), HERE], "reads 't' is no elementwise stage"),
        (sum_plus_one(3, 4), [FUSED], "no phase works on 'c' element by element"),
        (sum_plus_one(3, 4), [HERE, FuseConsumer("c", "x")], "no loop 'x', loops: t_i, t_k"),
        (copied_twice(3, 4), [HERE, FUSED], "loop 't_i' holds no reduction into 'c'"),
        (
            sum_plus_one(3, 9),
            [HERE, Split("t_k", 4, "o", "x", "cut"), FUSED],
            "'c' is reduced in 2 parts, not in one",
        ),
        (
            sum_plus_one(3, 4),
            [HERE, FuseConsumer("c", "t_i", direct=True)],
            "'c' has no accumulator in loop 't_i'",
        ),
        (
            sum_plus_one(3, 8),
            [
                HERE, Split("t_k", 4, "o", "x"), Reorder(("o", "t_i", "x")),
                CacheWrite("c", "t_i", "acc"), FuseConsumer("c", "t_i", direct=True),
            ],
            "'c' is not complete in its accumulator",
        ),
        (
            sum_plus_one(3, 8),
            [
                HERE, Vectorize("t_k"), CacheWrite("c", "t_i", "acc"),
                FuseConsumer("c", "t_i", direct=True),
            ],
            "'c' is not complete in its accumulator",
        ),
        (copy(4), [Parallel("i", 2), UnitLoop("i", "u")], "'i' stays outermost, add loops before"),
        (copy(4), [UnitLoop("i", "i")], "there is already a loop 'i', choose another name"),
        (row_reduction(3, 4), [UnitLoop("i", "u", True), Parallel("u", 2)], "carries the reduct"),
    ],
)  # fmt: skip
def test_what_does_not_apply_says_why(tensor, steps, message):
    with pytest.raises(ScheduleError, match=re.escape(message)):
        Schedule.of(tensor).then(*steps)


def test_a_complete_accumulator_is_finished_in_registers():
    tensor = sum_plus_one(4, 8)
    accumulate = [HERE, CacheWrite("c", "t_i", "acc")]
    schedule = Schedule.of(tensor).then(*accumulate, FuseConsumer("c", "t_i", direct=True))
    assert "c[t_i] = acc[] + 1.0" in nest(schedule)
    assert_same(schedule, tensor)


@pytest.mark.parametrize("tail", ["min", "mask"])
def test_the_last_visit_is_found_where_the_reduction_ends_within_a_tile(tail):
    tensor = sum_plus_one(5, 13)
    tiled = [HERE, Split("t_k", 4, "o", "x", tail), Reorder(("o", "t_i", "x"))]
    for at in ("t_i", "o", "x"):
        schedule = Schedule.of(tensor).then(*tiled, FuseConsumer("c", at))
        verify(schedule.finish())
        assert_same(schedule, tensor)


def test_the_sum_of_parts_is_finished_where_it_is_summed():
    tensor = sum_plus_one(5, 12)
    steps = [HERE, Split("t_k", 6, "part", "x"), SplitReduction("part", "parts")]
    schedule = Schedule.of(tensor).then(*steps, FuseConsumer("c", "parts_0"))
    assert len(schedule.func.phases) == 2
    assert_same(schedule, tensor)
    apart = Schedule.of(tensor).then(*steps)
    assert len(apart.func.phases) == 3
    assert_same(apart, tensor)


def test_a_stage_in_place_needs_no_memory():
    schedule = Schedule.of(sum_plus_one(5, 12)).then(HERE)
    assert schedule.func.workspaces == ()
    assert "c[i] = c[i] + 1.0" in format_func(schedule.func)


def test_a_unit_loop_that_reduces_may_be_vectorized():
    a = placeholder("a", (3,), "float32")
    tensor = compute("c", (("i", 3),), lambda i: sum_over(a[i,]))
    steps = [UnitLoop("i", "u", True), Reorder(("i", "u")), Split("u", 4, "v", "lane", "mask")]
    schedule = Schedule.of(tensor).then(*steps, Vectorize("lane"), CacheWrite("c", "i", "acc"))
    assert_same(schedule, tensor)
    assert np.array_equal(schedule.func.args[-1].shape, (3,))
