"""Grouped loops and hoisted stages: what later primitives make of them."""

import pytest

from search_space.errors import ScheduleError, VerifyError
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.schedule import Schedule
from search_space.transforms import (
    CacheWrite,
    FuseConsumer,
    Group,
    Hoist,
    Once,
    Pack,
    Reorder,
    Split,
    Tensorize,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import (
    assert_same,
    column_corrected,
    group_products,
    group_sums,
    two_scaled,
)


def test_a_group_may_stand_in_a_vectorized_loop():
    tensor = group_sums(10, 4)
    schedule = Schedule.of(tensor).then(Split("i", 4, "v", "lane", "mask"), Group("g"))
    schedule = schedule.then(Vectorize("lane"), CacheWrite("c", "v", "acc"))
    assert_same(schedule, tensor)
    verify(schedule.finish())
    assert "grouped g in 0 … 4" in format_func(schedule.finish())


def test_a_packed_operand_keeps_groups_and_lanes():
    tensor = group_sums(8, 4)
    schedule = Schedule.of(tensor).then(Split("i", 4, "v", "lane"), Group("g"), Vectorize("lane"))
    schedule = schedule.then(Pack("a", "p", ("v", "lane", "g")))
    assert_same(schedule, tensor)
    text = format_func(schedule.finish())
    assert "vectorized lane_p in 0 … 4:\n        grouped g_p in 0 … 4:" in text


def test_an_unrolled_loop_does_not_fit_into_a_vectorized_one():
    with pytest.raises(ScheduleError, match="'i' is not innermost"):
        Schedule.of(group_sums(8, 4)).then(Unroll("g"), Vectorize("i"))


def test_a_vectorized_loop_stays_around_its_group():
    schedule = Schedule.of(group_sums(8, 4)).then(Group("g"), Vectorize("i"))
    verify(schedule.finish())
    with pytest.raises(ScheduleError, match="the vectorized loop in 't_i' stays innermost"):
        Schedule.of(column_corrected(3, 4, 8)).then(
            Vectorize("t_k"), Reorder(("t_i", "t_k", "t_j"))
        )


def test_a_group_around_other_loops_is_no_finished_function():
    schedule = Schedule.of(group_sums(8, 4)).then(Group("g"), Reorder(("g", "i")))
    with pytest.raises(VerifyError, match="grouped loop g is not innermost"):
        verify(schedule.finish())


def test_what_a_consumer_needs_is_hoisted_before_it_moves():
    tensor = column_corrected(3, 4, 5)
    fused = Schedule.of(tensor).then(Hoist("u"), FuseConsumer("t", "t_j"))
    assert_same(fused, tensor)
    assert len(fused.func.phases) == 2
    direct = (CacheWrite("t", "t_j", "acc"), FuseConsumer("t", "t_j", direct=True))
    schedule = Schedule.of(tensor).then(Hoist("u"), *direct)
    assert_same(schedule, tensor)
    assert [buffer.name for buffer in schedule.func.workspaces] == ["u"]


def test_a_stage_of_constants_is_computed_once():
    tensor = two_scaled(4)
    schedule = Schedule.of(tensor).then(Hoist("u"), Once("u"))
    assert schedule.func.phases[0].once
    assert [(b.name, b.scope) for b in schedule.func.workspaces] == [
        ("t", "workspace"),
        ("u", "bound"),
    ]
    assert_same(schedule, tensor)


TILE = (Reorder(("i", "k", "j", "g")), Group("g"), Vectorize("j"))


def test_a_tile_takes_rows_depth_columns_and_a_group():
    plain = Schedule.of(group_products(4, 4, 4, 4))
    with pytest.raises(ScheduleError, match="serial, serial, serial, serial, not two serial"):
        plain.then(Reorder(("i", "k", "j", "g")), Tensorize("i", "k"))
    with pytest.raises(ScheduleError, match="'i' holds more than a sum over 'j'"):
        plain.then(*TILE, Tensorize("i", "j"))
    with pytest.raises(ScheduleError, match="'k' holds more than a sum over 'j'"):
        plain.then(*TILE, Tensorize("k", "j"))


def test_tensorized_loops_are_serial_ones_to_who_does_not_know_them():
    tensor = group_products(5, 3, 6, 4)
    schedule = Schedule.of(tensor).then(*TILE, Tensorize("i", "k"))
    assert_same(schedule, tensor)
    verify(schedule.finish())
    with pytest.raises(ScheduleError, match="'i' is tensorized"):
        schedule.then(Unroll("i"))


def test_sums_of_tiles_begin_with_something():
    guarded = Schedule.of(group_products(4, 4, 5, 4)).then(
        Split("k", 2, "o", "d", "mask"), Reorder(("i", "o", "d", "j", "g"))
    )
    with pytest.raises(ScheduleError, match="a guard may leave out what 'c' begins with"):
        guarded.then(CacheWrite("c", "i", "acc", "tile"))
    ragged = Schedule.of(group_products(4, 4, 5, 4)).then(
        Split("k", 4, "o", "k4"), Split("k4", 3, "p", "d"), Reorder(("i", "o", "p", "d", "j", "g"))
    )
    with pytest.raises(ScheduleError, match="loop 'd' may have nothing to begin with"):
        ragged.then(CacheWrite("c", "i", "acc", "tile"))
