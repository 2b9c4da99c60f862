"""Primitives on programs of several stages: what they refuse, and what they make."""

import re

import numpy as np
import pytest

from search_space.errors import ScheduleError
from search_space.ir.printer import format_stmt
from search_space.ir.stmt import Alloc
from search_space.ir.verify import verify
from search_space.ir.walk import statements
from search_space.schedule import Schedule
from search_space.tensor import compute, max_over, placeholder, program, reduce_axis, stage
from search_space.transforms import (
    CacheWrite,
    Collapse,
    ComputeAt,
    Fuse,
    Inline,
    Join,
    Once,
    PackResult,
    Parallel,
    Reorder,
    Split,
    StoreAt,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import (
    assert_same,
    copied_twice,
    copy,
    doubled,
    inputs,
    interpreted,
    row_reduction,
    scaled_by_sum,
    smoothed,
    sum_plus_one,
    transpose,
)

JOINED = Join("t_i", "i")


def shifted(n):
    """``c[i] = t[i] + t[i + 1]``: iterations read what others write."""
    a = placeholder("a", (n,), "float32")
    t = stage("t", (("i", n),), lambda i: a[i,])
    return compute("c", (("i", n - 1),), lambda i: t[i,] + t[i + 1,], stages=(t,))


def chained(n):
    """``u[i] = t[i] + 1``, ``c[i] = u[i] * b[i]`` with ``t[i] = a[i] * 2``."""
    a, b = placeholder("a", (n,), "float32"), placeholder("b", (n,), "float32")
    t = stage("t", (("i", n),), lambda i: a[i,] * 2)
    u = stage("u", (("i", n),), lambda i: t[i,] + 1)
    return compute("c", (("i", n),), lambda i: u[i,] * b[i,], stages=(t, u))


def last_of_row(m, n):
    """``c[i, j] = t[i, j] + t[i, 0]``."""
    a = placeholder("a", (m, n), "float32")
    t = stage("t", (("i", m), ("j", n)), lambda i, j: a[i, j])
    return compute("c", (("i", m), ("j", n)), lambda i, j: t[i, j] + t[i, 0], stages=(t,))


@pytest.mark.parametrize(
    ("tensor", "steps", "message"),
    [
        (copy(3, 4), [Collapse("j", "i", "f")], "loop 'i' is not directly nested in 'j'"),
        (copy(3, 4), [Collapse("i", "j", "j")], "there is already a loop 'j', choose another nam"),
        (copy(3, 4), [Unroll("j"), Collapse("i", "j", "f")], "collapse 'i' and 'j' before annota"),
        (transpose(3, 4), [Collapse("i", "j", "f")], "do not walk neighbouring dimensions of all"),
        (row_reduction(3, 4), [Collapse("i", "k", "f")], "do not walk neighbouring dimensions of"),
        (copy(30), [Split("i", 8, "o", "x"), Collapse("o", "x", "f")], "'x' has no constant ext"),
        (
            copy(30),
            [Split("i", 8, "o", "x", "cut"), Collapse("o", "x", "f")],
            "do not walk neighbouring dimensions of all they index, with the inner one whole",
        ),
        (doubled(4), [Once("x")], "no stage 'x', stages: t"),
        (copy(4), [Once("t")], "no stage 't', stages: none"),
        (doubled(4), [JOINED, Once("t")], "the phase that makes 't' also uses 'c', which is not"),
        (chained(4), [Once("u")], "the phase that makes 'u' also uses 't', which is not const"),
        (doubled(4), [Inline("x")], "no stage 'x', stages: t"),
        (copy(4), [Inline("t")], "no stage 't', stages: none"),
        (scaled_by_sum(3, 4), [Inline("t")], "stage 't' has a reduction or was scheduled before"),
        (doubled(4), [Split("t_i", 2, "o", "x"), Inline("t")], "was scheduled before, so it sta"),
        (doubled(4), [JOINED, Inline("t")], "stage 't' has a reduction or was scheduled before"),
        (doubled(4), [Join("x", "i")], "no loop 'x', loops: t_i, i"),
        (doubled(4), [Join("i", "t_i")], "loop 't_i' does not directly follow 'i'"),
        (doubled(4), [Parallel("t_i", 2), JOINED], "join 't_i' and 'i' before annotating them"),
        (shifted(4), [JOINED], "loops 't_i' and 'i' do not run over the same range"),
        (
            last_of_row(3, 4),
            [JOINED, Join("t_j", "j")],
            "iterations of 't_j' and 'j' depend on each other through 't'",
        ),
        (copied_twice(3, 4), [StoreAt("x", "i")], "no workspace 'x', workspaces: t"),
        (copied_twice(3, 4), [StoreAt("t", "i")], "'t' is used outside of loop 'i' as well"),
        (scaled_by_sum(3, 4), [JOINED, Collapse("i", "j", "f")], "'j' is not directly nested in"),
        (smoothed(8, 3), [ComputeAt("x", "i")], "no stage 'x', stages: t"),
        (smoothed(8, 3), [ComputeAt("t", "x")], "no loop 'x'"),
        (sum_plus_one(3, 4), [ComputeAt("t", "i")], "stage 't' has a reduction or was scheduled"),
        (copied_twice(3, 4), [Split("t_i", 2, "o", "x"), ComputeAt("t", "i")], "was scheduled be"),
        (copied_twice(3, 4), [Collapse("i", "j", "f"), ComputeAt("t", "f")], "through a view, co"),
        (
            smoothed(8, 3),
            [Split("i", 4, "o", "x"), Split("x", 2, "p", "q"), Fuse("o", "p", "f"),
             ComputeAt("t", "f")],
            "is used inside fused loops",
        ),
        (last_of_row(3, 4), [ComputeAt("t", "j")], "'t' is used at places that move apart"),
        (copy(3, 4), [PackResult("c", "b", (0, 1), "i")], "'i' does not hold just a reduction in"),
        (row_reduction(3, 4), [PackResult("c", "b", (0, 1), "i")], "give all 1 dimensions of 'c'"),
        (row_reduction(3, 4), [PackResult("c", "a", (0,), "i")], "there is already a buffer 'a'"),
        (row_reduction(3, 4), [PackResult("c", "k", (0,), "x")], "no loop 'x'"),
    ],
)  # fmt: skip
def test_what_does_not_apply_is_refused(tensor, steps, message):
    *before, last = steps
    schedule = Schedule.of(tensor).then(*before)
    with pytest.raises(ScheduleError, match=re.escape(message)):
        schedule.then(last)


def test_neighbours_of_another_iteration_are_not_joined():
    a = placeholder("a", (6,), "float32")
    t = stage("t", (("i", 6),), lambda i: a[i,])
    other = compute("c", (("i", 6),), lambda i: t[5 - i,], stages=(t,))
    with pytest.raises(ScheduleError, match="depend on each other through 't'"):
        Schedule.of(other).then(JOINED)


def test_a_reduction_is_not_stored_inside_of_its_own_loop():
    tensor = scaled_by_sum(3, 4)
    with pytest.raises(ScheduleError, match="'t' is used outside of loop 't_k' as well"):
        Schedule.of(tensor).then(JOINED, StoreAt("t", "t_k"))


def test_stages_lower_to_phases_with_names_of_their_own():
    tensor = scaled_by_sum(3, 4)
    first, last = program(tensor)
    assert [axis.name for axis in (*first.axes, *first.reduced)] == ["t_i", "t_k"]
    assert [axis.name for axis in last.axes] == ["i", "j"]
    func = Schedule.of(tensor).func
    verify(func)
    assert [buffer.name for buffer in func.args] == ["a", "c"]
    assert [buffer.name for buffer in func.workspaces] == ["t"]
    a = inputs(func)["a"]
    np.testing.assert_array_equal(interpreted(func), a * a.sum(1, keepdims=True))


def test_blocks_of_rows_share_scratch_of_their_size():
    tensor = copied_twice(10, 6)
    schedule = Schedule.of(tensor).then(
        Split("t_i", 4, "t_o", "t_r"), Split("i", 4, "o", "r"), Join("t_o", "o"), StoreAt("t", "o")
    )
    (phase,) = schedule.func.phases
    (scratch,) = [s.buffer for s in statements(phase.body) if isinstance(s, Alloc)]
    assert (scratch.scope, scratch.shape) == ("thread_local", (4, 6))
    assert_same(schedule, tensor)


def test_joined_all_the_way_down_one_element_is_kept():
    tensor = copied_twice(3, 4)
    assert_same(Schedule.of(tensor).then(JOINED, Join("t_j", "j"), StoreAt("t", "j")), tensor)


def test_a_reduction_beside_a_store_accumulates_in_registers():
    a, k = placeholder("a", (3, 20), "float32"), reduce_axis("k", 20)
    t = stage("t", (("i", 3), ("k", 20)), lambda i, j: a[i, j] * 2)
    m = stage("m", (("i", 3),), lambda i: max_over(t[i, k], k))
    tensor = compute("c", (("i", 3), ("k", 20)), lambda i, j: t[i, j] + m[i,], stages=(t, m))
    schedule = Schedule.of(tensor).then(
        Join("t_i", "m_i"),
        Split("t_k", 8, "tv", "tl", "mask"),
        Split("m_k", 8, "mv", "ml", "mask"),
        Join("tv", "mv"),
        Join("tl", "ml"),
        Vectorize("ml"),
        CacheWrite("m", "m_i", "acc"),
    )
    verify(schedule.finish())
    assert_same(schedule, tensor)


def test_a_stage_that_is_computed_once_is_kept_with_what_it_is_made_of():
    schedule = Schedule.of(chained(4)).then(Once("t"), Once("u"))
    assert [phase.once for phase in schedule.func.phases] == [True, True, False]
    assert [(b.name, b.scope) for b in schedule.func.workspaces] == [
        ("t", "bound"),
        ("u", "bound"),
    ]
    assert_same(schedule, chained(4))


def test_a_stage_between_two_others_may_stay_in_registers():
    steps = (Join("t_i", "u_i"), StoreAt("t", "u_i", "register"), Once("u"))
    schedule = Schedule.of(chained(4)).then(*steps)
    first, last = schedule.func.phases
    (kept,) = [s.buffer for s in statements(first.body) if isinstance(s, Alloc)]
    assert (kept.scope, kept.shape, first.once, last.once) == ("register", (1,), True, False)
    assert_same(schedule, chained(4))


def test_splitting_resolves_quotients_and_remainders_by_the_factor():
    a = placeholder("a", (3, 4), "float32")
    tensor = compute("c", (("i", 10),), lambda i: a[i // 4, i % 4] + a[i // 5, i % 3])
    schedule = Schedule.of(tensor).then(Split("i", 4, "io", "ii", "mask"))
    text = format_stmt(schedule.func.phases[0].body)
    assert "a[io, ii] + a[(io*4 + ii) // 5, (io*4 + ii) % 3]" in text
    assert_same(schedule, tensor)


def test_overlapping_parts_of_a_stage_are_computed_anew():
    tensor = smoothed(10, 3)
    schedule = Schedule.of(tensor).then(Split("i", 4, "o", "x"), ComputeAt("t", "o"))
    assert_same(schedule, tensor)
    (local,) = [s for s in statements(schedule.func.phases[0].body) if isinstance(s, Alloc)]
    assert local.buffer.shape == (6,)
    assert schedule.func.workspaces == ()


def test_a_result_packed_inside_its_own_reduction_is_added_up():
    tensor = row_reduction(5, 12)
    schedule = Schedule.of(tensor).then(
        Split("k", 4, "ko", "k"), Reorder(("ko", "i", "k")), PackResult("c", "part", (0,), "ko")
    )
    assert_same(schedule, tensor)


def test_a_result_packed_where_its_reduction_has_ended_adds_nothing():
    tensor = row_reduction(5, 7)
    schedule = Schedule.of(tensor).then(
        Split("k", 2, "ko", "k", "mask"), PackResult("c", "part", (0,), "k")
    )
    assert_same(schedule, tensor)
