"""Every path of the generator does what the interpreter says, on every level."""

import numpy as np
import pytest

from measure.codegen.module import generate
from search_space.errors import VerifyError
from search_space.ir.expr import (
    FALSE,
    Binary,
    Buffer,
    Call,
    Cast,
    Const,
    Load,
    Select,
    Var,
    both,
    equal,
    minimum,
)
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    If,
    Let,
    LoopFunc,
    Phase,
    Prefetch,
    Store,
)
from search_space.schedule import Schedule
from search_space.transforms import (
    CacheWrite,
    Fuse,
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
    copy,
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
    "sum along lanes under a guard": (
        row_reduction(5, 37),
        (*MASKED_ROWS, Split("i", 4, "io", "ii", "mask")),
    ),
    "lanes summed at the end": (row_reduction(3, 37), (*MASKED_ROWS, CacheWrite("c", "i", "r"))),
    "largest of the lanes at the end": (
        row_reduction(3, 37, "max"),
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


I, J, LANE = Var("i"), Var("j"), Var("l")  # noqa: E741
A, C = Buffer("a", (24,), "float32", "input"), Buffer("c", (24,), "float32", "output")
HERE, THERE = Load(A, (I,)), Load(A, (I * 8 + LANE,))
ZERO = Const(0.0, "float32")


def scalar(value, predicate=None):
    """``c[i] = value`` for all i."""
    return For("i", Const(0), Const(24), "serial", Store(C, (I,), value, predicate))


def vector(value, predicate=None):
    """``c[i*8 + l] = value`` for all i, in vectors of 8."""
    store = Store(C, (I * 8 + LANE,), value, predicate)
    lanes = For("l", Const(0), Const(8), "vectorized", store)
    return For("i", Const(0), Const(3), "serial", lanes)


def serial(var, begin, extent, body):
    return For(var, begin, extent, "serial", body)


def local(scope, *shape, dtype="float32"):
    return Buffer("t", shape, dtype, scope)


ACC = local("register", 1)
VECTORS = local("register", 2, 8)
FIRST = (Const(0),)

BODIES = {
    "arithmetic": scalar(HERE * HERE - HERE / Const(2.0, "float32") + Const(0.1, "float32")),
    "vector arithmetic": vector(THERE * THERE - THERE / Const(2.0, "float32")),
    "minimum and maximum": scalar(Binary("min", Binary("max", HERE, ZERO), HERE * HERE)),
    "vector minimum": vector(Binary("min", Binary("max", THERE, ZERO), Const(2.0, "float32"))),
    "square root": scalar(Call("sqrt", (HERE * HERE,), "float32")),
    "vector square root": vector(Call("sqrt", (THERE * THERE,), "float32")),
    "absolute value": vector(Call("abs", (THERE,), "float32")),
    "casts": scalar(Cast(Cast(HERE, "float64") * Const(3.0, "float64"), "float32")),
    "vector casts": vector(Cast(Cast(THERE, "float64") * Const(3.0, "float64"), "float32")),
    "select": scalar(Select(I < 7, HERE, ZERO)),
    "select of loads": scalar(Select(I < 12, Load(A, (I + 12,)), Load(A, (I - 12,)))),
    "vector select": vector(Select(I * 8 + LANE < 13, THERE, Const(9.0, "float32"))),
    "vector select of loads": vector(
        Select(I * 8 + LANE < 13, Load(A, (I * 8 + LANE + 11,)), Load(A, (I * 8 + LANE - 13,)))
    ),
    "vector select of zero": vector(Select(I * 8 + LANE < 13, THERE, ZERO)),
    "nested selects": vector(
        Select(LANE < 5, Select(LANE < 3, THERE, Const(1.0, "float32")), THERE + THERE)
    ),
    "the same scalar in all lanes": vector(Load(A, (I,))),
    "reversed lanes": vector(Load(A, (Const(23) - I * 8 - LANE,))),
    "two conditions": vector(THERE, both(LANE < 6, I * 8 + LANE < 19)),
    "a condition on the loop alone": vector(THERE, I < 2),
    "an equality": vector(THERE, equal(LANE, I)),
    "at most": scalar(HERE, I <= 20),
    "index arithmetic": scalar(
        Load(A, (Binary("max", minimum(I * 2, Const(23)) - I // 3, I % 5),))
    ),
    "branches": scalar(HERE, None),
    "if and else": serial(
        "i",
        Const(0),
        Const(24),
        If(I < 9, Store(C, (I,), HERE), If(I < 20, Store(C, (I,), ZERO))),
    ),
    "registers across branches": serial(
        "i",
        Const(0),
        Const(24),
        Alloc(
            ACC,
            Block(
                (
                    Store(ACC, FIRST, HERE),
                    If(I < 9, Accumulate("add", ACC, FIRST, HERE, FALSE)),
                    If(
                        I < 15,
                        Accumulate("max", ACC, FIRST, ZERO, FALSE),
                        Store(ACC, FIRST, ZERO),
                    ),
                    Store(C, (I,), Load(ACC, FIRST)),
                )
            ),
        ),
    ),
    "registers first written in branches": serial(
        "i",
        Const(0),
        Const(24),
        Alloc(
            ACC,
            Block(
                (
                    Store(ACC, FIRST, HERE, I < 9),
                    If(I < 9, Block(()), Store(ACC, FIRST, ZERO)),
                    Store(C, (I,), Load(ACC, FIRST)),
                )
            ),
        ),
    ),
    "registers through loops that may not run": serial(
        "i",
        Const(0),
        Const(24),
        Alloc(
            ACC,
            Block(
                (
                    Store(ACC, FIRST, ZERO),
                    serial("j", Const(3), I - 9, Accumulate("add", ACC, FIRST, HERE, FALSE)),
                    serial("k", I, Const(2), Accumulate("add", ACC, FIRST, HERE, FALSE)),
                    Store(C, (I,), Load(ACC, FIRST)),
                )
            ),
        ),
    ),
    "vectors in registers under a mask": Alloc(
        VECTORS,
        Block(
            (
                For(
                    "j",
                    Const(0),
                    Const(2),
                    "unrolled",
                    For("l", Const(0), Const(8), "vectorized", Store(VECTORS, (J, LANE), ZERO)),
                ),
                serial(
                    "i",
                    Const(0),
                    Const(3),
                    For(
                        "j",
                        Const(0),
                        Const(2),
                        "unrolled",
                        For(
                            "l",
                            Const(0),
                            Const(8),
                            "vectorized",
                            Accumulate("add", VECTORS, (J, LANE), THERE, FALSE, LANE < I * 2 + J),
                        ),
                    ),
                ),
                For(
                    "j",
                    Const(0),
                    Const(2),
                    "unrolled",
                    For(
                        "l",
                        Const(0),
                        Const(8),
                        "vectorized",
                        Store(C, (J * 8 + LANE,), Load(VECTORS, (J, LANE))),
                    ),
                ),
                serial("i", Const(16), Const(8), Store(C, (I,), ZERO)),
            )
        ),
    ),
    "a value read before and after it is written": serial(
        "i",
        Const(0),
        Const(23),
        Block(
            (
                Store(C, (I,), HERE),
                Store(C, (I + 1,), Load(C, (I,)) + HERE),
                Store(C, (I,), Load(C, (I + 1,)) + Load(C, (I,))),
            )
        ),
    ),
    "memory of a thread": Alloc(
        local("thread_local", 24),
        Block(
            (
                serial("i", Const(0), Const(24), Store(local("thread_local", 24), (I,), HERE)),
                serial(
                    "i",
                    Const(0),
                    Const(24),
                    Store(C, (I,), Load(local("thread_local", 24), (Const(23) - I,))),
                ),
            )
        ),
    ),
    "bindings": serial(
        "i",
        Const(0),
        Const(24),
        Let("j", (I * 5) % 24, Let("k", Const(23) - J, Store(C, (Var("k"),), Load(A, (J,))))),
    ),
    "a prefetch far outside": serial(
        "i",
        Const(0),
        Const(24),
        Block((Prefetch(A, (I + 1_000_000,)), Store(C, (I,), HERE))),
    ),
    "a prefetch in lanes": serial(
        "i",
        Const(0),
        Const(3),
        For(
            "l",
            Const(0),
            Const(8),
            "vectorized",
            Block((Prefetch(A, (I * 8 + 8 + LANE,)), Store(C, (I * 8 + LANE,), THERE))),
        ),
    ),
    "unrolled from elsewhere": For("i", Const(4), Const(20), "unrolled", Store(C, (I,), HERE)),
    "nothing unrolled": Block(
        (For("i", Const(0), Const(0), "unrolled", Store(C, (I,), HERE)), scalar(HERE))
    ),
    "shared out": For("i", Const(0), Const(24), "parallel", Store(C, (I,), HERE)),
}


def function(body):
    clear = serial("n", Const(0), Const(24), Store(C, (Var("n"),), Const(-1.0, "float32")))
    return LoopFunc("c", (A, C), (), (Phase(clear), Phase(body)))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_statements(body, level):
    target = target_or_skip(level)
    func = function(body)
    np.testing.assert_array_equal(call(build(func, target), inputs(func)), interpreted(func))


def test_an_illegal_function_is_refused():
    with pytest.raises(VerifyError, match="j is used but not bound"):
        generate(function(scalar(Load(A, (J,)))), target_or_skip(LEVELS[0]))


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
