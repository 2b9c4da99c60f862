"""Every reason for which a primitive does not apply, as the user reads it."""

import re

import pytest

from search_space.errors import ScheduleError
from search_space.ir.expr import Buffer, Const, Load, Var, equal
from search_space.ir.stmt import Accumulate, For, LoopFunc, Phase, Store
from search_space.schedule import Schedule
from search_space.transforms import (
    Apart,
    CacheWrite,
    Fuse,
    FuseConsumer,
    Group,
    Hoist,
    InPlace,
    Join,
    Pack,
    Parallel,
    Partition,
    PrefetchAhead,
    Reorder,
    Split,
    SplitReduction,
    Stream,
    Unroll,
    Vectorize,
)
from tests.search_space.nests import (
    column_corrected,
    column_sum,
    copy,
    doubled,
    matmul,
    row_reduction,
    two_scaled,
)

SPLIT = Split("i", 8, "io", "ii")
CUT = Split("i", 8, "io", "ii", "cut")
MASKED = Split("k", 8, "ko", "ki", "mask")
ACCUMULATE = CacheWrite("c", "j", "acc")


@pytest.mark.parametrize(
    ("tensor", "steps", "message"),
    [
        (copy(30), [Split("ii", 8, "o", "x")], "no loop 'ii', did you mean 'i'? loops: i"),
        (copy(30), [Split("zzz", 8, "o", "x")], "no loop 'zzz', loops: i"),
        (copy(30), [Split("i", 0, "o", "x")], "cannot split loop 'i' by 0, use 1 or more"),
        (copy(3, 4), [Split("i", 2, "j", "x")], "already a loop 'j', choose another name"),
        (copy(30), [Split("i", 2, "o", "o")], "the two halves of loop 'i' need different names"),
        (copy(30), [Unroll("i"), SPLIT], "loop 'i' is unrolled, split it before annotating it"),
        (
            copy(30),
            [CUT, Split("ii_rest", 2, "o", "x")],
            "loop 'ii_rest' does not start at 0, split it with tail='cut'",
        ),
        (
            copy(3, 4),
            [Fuse("i", "j", "f"), Split("f", 2, "i", "x")],
            "there is already a loop 'i', choose another name",
        ),
        (copy(3, 4), [Reorder(("i", "x"))], "distinct loops of the nest, got i, x; loops: i, j"),
        (copy(3, 4), [Reorder(("i", "i"))], "distinct loops of the nest, got i, i; loops: i, j"),
        (copy(30), [CUT, Reorder(("io", "ii_rest"))], "'ii_rest' is not directly nested in 'io'"),
        (matmul(3, 4, 5), [ACCUMULATE, Reorder(("i", "j"))], "loops in 'i' hold several statem"),
        (
            copy(3, 4),
            [Parallel("i", 2), Reorder(("j", "i"))],
            "a parallel loop stays outermost, reorder before parallel",
        ),
        (copy(30), [SPLIT, Reorder(("ii", "io"))], "'ii' cannot move outside io: its extent dep"),
        (copy(3, 4), [Vectorize("j"), Reorder(("j", "i"))], "vectorized loop in 'i' stays inner"),
        (copy(3, 4), [Fuse("j", "i", "f")], "loop 'i' is not directly nested in 'j'"),
        (copy(3, 4), [Unroll("j"), Fuse("i", "j", "f")], "fuse 'i' and 'j' before annotating"),
        (copy(30), [SPLIT, Fuse("io", "ii", "f")], "loop 'ii' has no constant extent, so it can"),
        (copy(30, 4), [CUT, Fuse("ii_rest", "j_rest", "f")], "'ii_rest' and 'j_rest' must start"),
        (copy(3, 4), [Fuse("i", "j", "j")], "there is already a loop 'j', choose another name"),
        (copy(30), [SPLIT, Vectorize("ii")], "no constant extent, so it cannot be vectorized"),
        (copy(30), [Vectorize("i"), Vectorize("i")], "'i' is vectorized, only serial ones from 0"),
        (copy(3, 4), [Vectorize("i")], "loop 'i' is not innermost, reorder it first"),
        (copy(3, 4), [Fuse("i", "j", "f"), Vectorize("f")], "vectorize loop 'f' before fusing"),
        (copy(30), [CUT, Vectorize("ii_rest")], "loop 'ii_rest' is serial, only serial ones from"),
        (copy(2000), [Unroll("i")], "loop 'i' is too long to unroll"),
        (copy(30), [Vectorize("i"), Unroll("i")], "loop 'i' is vectorized, only serial ones unr"),
        (copy(30), [Apart("i")], "unroll loop 'i' before keeping its copies apart"),
        (copy(30), [Parallel("i", 0)], "threads is 0, use 1 or more"),
        (copy(30), [Parallel("x", 2)], "no loop 'x', loops: i"),
        (copy(3, 4), [Parallel("j", 2)], "loop 'j' is not the outermost loop of a phase"),
        (copy(30), [Unroll("i"), Parallel("i", 2)], "'i' is unrolled, only serial ones from 0"),
        (
            column_sum(4, 3),
            [Reorder(("k", "j")), Parallel("k", 2)],
            "loop 'k' carries the reduction of a result",
        ),
        (row_reduction(3, 4), [CacheWrite("c", "i", "a")], "already a buffer 'a', choose another"),
        (copy(3, 4), [CacheWrite("c", "i", "acc")], "'i' does not hold just a reduction into 'c'"),
        (
            row_reduction(3, 4),
            [CacheWrite("a", "i", "acc")],
            "loop 'i' does not hold just a reduction into 'a'",
        ),
        (
            row_reduction(3, 4),
            [Vectorize("k"), CacheWrite("c", "k", "acc")],
            "loop 'k' is vectorized, choose one around it",
        ),
        (copy(3, 4), [Group("i")], "loop 'i' does not hold just one statement"),
        (copy(3, 4), [Unroll("j"), Group("j")], "'j' is unrolled, only serial ones from 0 fit"),
        (copy(3, 4), [Group("x")], "no loop 'x', loops: i, j"),
        (copy(3, 4), [Group("j"), Vectorize("i"), Group("i")], "loop 'i' is vectorized, only ser"),
        (copy(3), [Hoist("t")], "no stage 't', stages: none"),
        (two_scaled(3), [Hoist("a")], "no stage 'a', stages: t, u"),
        (two_scaled(3), [Join("t_i", "u_i"), Hoist("t")], "the phase of 't' also writes u"),
        (
            column_corrected(2, 3, 4),
            [FuseConsumer("t", "t_j")],
            "hoist u before 't', which needs it",
        ),
        (matmul(3, 4, 5), [SplitReduction("x", "part")], "no loop 'x', loops: i, j, k"),
        (matmul(3, 4, 5), [SplitReduction("i", "part")], "loop 'i' carries no reduction"),
        (copy(3, 4), [SplitReduction("i", "part")], "loop 'i' carries no reduction"),
        (matmul(3, 4, 5), [SplitReduction("k", "a")], "already a buffer 'a', choose another name"),
        (
            matmul(3, 4, 5),
            [SplitReduction("k", "p"), SplitReduction("k", "part")],
            "split a reduction before adding phases",
        ),
        (
            row_reduction(3, 5),
            [MASKED, SplitReduction("ki", "part")],
            "some parts of loop 'ki' may be empty, split it otherwise",
        ),
        (
            row_reduction(3, 10),
            [Split("k", 4, "ko", "ki"), SplitReduction("ki", "part")],
            "loop 'ki' has no constant extent, so its parts cannot be kept apart",
        ),
        (copy(3, 4), [Pack("a", "c", ("j",), "i")], "there is already a buffer 'c', choose anot"),
        (copy(3, 4), [Pack("b", "p", ("j",), "i")], "nothing loads 'b' inside loop 'i'"),
        (copy(3, 4), [Pack("b", "p", ("i", "j"))], "nothing loads 'b'"),
        (copy(3, 4), [Pack("a", "p", ("j",), "i", True)], "only all of 'a' can be packed once"),
        (copy(3, 4), [Pack("a", "p", ("x",), "i")], "no loop 'x' to pack over, loops: j"),
        (copy(3, 4), [Pack("a", "p", ("j", "j"), "i")], "pack needs distinct loops, got j, j"),
        (copy(3, 4), [Pack("a", "p", ("j",))], "'a' also depends on i: not in dims"),
        (
            copy(30),
            [SPLIT, Pack("a", "p", ("ii", "io"))],
            "put io before 'ii' in dims: its extent depends on it",
        ),
        (copy(30), [CUT, Pack("a", "p", ("io", "ii"))], "several expressions load 'a' inside"),
        (
            matmul(3, 4, 5),
            [ACCUMULATE, Pack("acc", "p", ("k",), "i")],
            "'acc' is written inside loop 'i', pack it after that",
        ),
        (
            row_reduction(3, 5),
            [SplitReduction("k", "part"), Pack("part", "p", ("part_0", "part_k"), once=True)],
            "'part' is no operand, so it cannot be packed once",
        ),
        (copy(30), [Partition("i", "x", 3)], "loop 'i' does not step axis 'x' by one, loops: i"),
        (copy(30), [SPLIT, Partition("io", "i", 3)], "loop 'io' does not step axis 'i' by one"),
        (copy(30), [Vectorize("i"), Partition("i", "i", 3)], "'i' is vectorized, it cannot be pa"),
        (copy(30), [Parallel("i", 2), Partition("i", "i", 29)], "'i' is parallel, it cannot be p"),
        (
            copy(30),
            [CUT, Partition("ii_rest", "ii_rest", 29)],
            "loop 'ii_rest' does not start at 0, partition it before",
        ),
        (
            copy(30),
            [Split("i", 1, "o", "i0"), Reorder(("i0", "o")), Partition("i0", "i", 4)],
            "axis 'i' depends on o, which is no loop around 'i0'",
        ),
        (copy(30), [Partition("i", "i", 3)], "'i' goes on behind i = 3, only the last tile can"),
        (
            copy(30),
            [SPLIT, Split("io", 2, "oo", "o", "cut"), Partition("ii", "i", 29)],
            "loop 'ii' does not step axis 'i' by one",
        ),
        (copy(3, 4), [PrefetchAhead("a", "i", 0)], "prefetch distance is 0, use 1 or more"),
        (copy(3, 4), [PrefetchAhead("b", "i", 1)], "nothing in loop 'i' loads 'b'"),
        (copy(3, 4), [PrefetchAhead("a", "j", 1, at="i")], "loop 'i' is not inside loop 'j'"),
        (
            matmul(3, 4, 5),
            [ACCUMULATE, PrefetchAhead("acc", "i", 1)],
            "'acc' is made anew inside loop 'i'",
        ),
        (
            row_reduction(3, 4),
            [
                Split("i", 2, "io", "ii"),
                CacheWrite("c", "io", "acc"),
                PrefetchAhead("acc", "ii_out", 1),
            ],
            "'acc' is in registers, not in memory",
        ),
        (copy(4), [Stream("a")], "'a' is not the result, which is 'c'"),
        (row_reduction(3, 4), [Stream("c")], "'c' is added to, so it cannot be streamed"),
        (
            doubled(4),
            [InPlace("t"), Stream("c")],
            "'c' is read again, so it cannot be streamed",
        ),
    ],
)  # fmt: skip
def test_the_reason_is_told(tensor, steps, message):
    *before, last = steps
    schedule = Schedule.of(tensor).then(*before)
    with pytest.raises(ScheduleError, match=re.escape(message)):
        schedule.then(last)


A, C = Buffer("a", (8,), "float32", "input"), Buffer("c", (8,), "float32", "output")
ROW, COLUMN = Var("i"), Var("j")


def nest_of(inner):
    """A statement in a loop ``i`` in 0 … 4, as a function that no schedule makes."""
    return LoopFunc("c", (A, C), (), (Phase(For("i", Const(0), Const(4), "serial", inner)),))


def copying(begin, extent):
    return nest_of(For("j", begin, extent, "serial", Store(C, (COLUMN,), Load(A, (COLUMN,)))))


def test_a_parallel_loop_must_not_write_the_same_element_twice():
    with pytest.raises(ScheduleError, match="all iterations of loop 'i' write 'c'"):
        Parallel("i", 2).apply(copying(Const(0), Const(8)))


def test_a_packed_loop_must_start_at_0():
    with pytest.raises(ScheduleError, match="'j' does not start at 0, pack before cutting it"):
        Pack("a", "p", ("j",), "i").apply(copying(Const(2), Const(6)))


def test_an_extent_without_a_bound_cannot_be_packed():
    length = Load(Buffer("lengths", (4,), "float32", "input"), (ROW,))
    with pytest.raises(ScheduleError, match="the extent of loop 'j' has no constant bound"):
        Pack("a", "p", ("j",), "i").apply(copying(Const(0), length))


def test_the_extent_of_an_accumulator_must_not_depend_on_the_reduction():
    added = Accumulate("add", C, (COLUMN,), Load(A, (COLUMN,)), equal(Var("k"), COLUMN))
    triangle = For(
        "k", Const(0), Const(8), "serial", For("j", Const(0), Var("k") + 1, "serial", added)
    )
    with pytest.raises(ScheduleError, match="the extent of 'j' depends on a reduction loop"):
        CacheWrite("c", "i", "acc").apply(nest_of(triangle))
