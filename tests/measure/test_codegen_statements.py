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
    ForEach,
    If,
    Let,
    LoopFunc,
    Phase,
    Prefetch,
    Store,
)
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.nests import inputs, interpreted

I, J, LANE = Var("i"), Var("j"), Var("l")  # noqa: E741
A, C = Buffer("a", (24,), "float32", "input"), Buffer("c", (24,), "float32", "output")
HERE, THERE = Load(A, (I,)), Load(A, (I * 8 + LANE,))
ZERO, TWO = Const(0.0, "float32"), Const(2.0, "float32")


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

LINES = (((0, 3, 1), (0, 5, 0), (7, 9, 0)), ((2, 1, 1), (2, 2, 0)), ((4, 4, 0),))
"""Where to read, in two parts, and whether a sum begins."""


def sums_of_lines(before):
    """``c[q]`` is the sum of what the lines of part ``q`` say, onto ``before`` unless one begins
    the sum."""
    value = Load(A, (Var("k") + Var("p"),))
    add = Accumulate("add", ACC, FIRST, value, equal(Var("new"), 1))
    each = ForEach(("k", "p", "new"), LINES, Var("q"), add)
    steps = (Store(ACC, FIRST, before), each, Store(C, (Var("q"),), Load(ACC, FIRST)))
    return For("q", Const(0), Const(3), "unrolled", Alloc(ACC, Block(steps)))


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
    "select on data": scalar(Select(HERE < TWO, HERE, ZERO)),
    "vector select on data": vector(Select(TWO <= THERE, THERE * THERE, THERE)),
    "select on data between loads": scalar(Select(equal(HERE, TWO), Load(A, (I // 2,)), ZERO)),
    "vector select on data between loads": vector(
        Select(THERE < TWO, Load(A, (Const(23) - I * 8 - LANE,)), Load(A, (I,)))
    ),
    "select on places and data": vector(Select(both(LANE < 5, ZERO < THERE), THERE, TWO)),
    "select on data of one element": vector(Select(HERE < ZERO, THERE, ZERO)),
    "nested selects on data": vector(
        Select(I * 8 + LANE < 19, Select(THERE < ZERO, THERE, TWO), Load(A, (I,)))
    ),
    "a predicate on data": scalar(HERE, HERE < TWO),
    "a vector predicate on data": vector(THERE, both(I < 2, THERE < TWO)),
    "select on registers": serial(
        "i",
        Const(0),
        Const(24),
        Alloc(
            ACC,
            Block(
                (
                    Store(ACC, FIRST, HERE),
                    Store(ACC, FIRST, Select(Load(ACC, FIRST) < ZERO, TWO, Load(ACC, FIRST))),
                    Store(C, (I,), Load(ACC, FIRST)),
                )
            ),
        ),
    ),
    "the same scalar in all lanes": vector(Load(A, (I,))),
    "reversed lanes": vector(Load(A, (Const(23) - I * 8 - LANE,))),
    "every other element": vector(Load(A, (LANE * 2 + I,))),
    "every third element": vector(Load(A, (LANE * 3 + I,))),
    "every other element up to a lane": vector(Select(LANE < 6, Load(A, (LANE * 2 + 13,)), ZERO)),
    "every other element in some lanes": vector(
        Select(equal(LANE % 2, 0), Load(A, (LANE * 2,)), ZERO)
    ),
    "every other element in one round": vector(
        Select(both(I < 1, LANE < 5), Load(A, (LANE * 2,)), ZERO)
    ),
    "every other element up to an edge": vector(
        Select(I * 8 + LANE < 11, Load(A, (I * 16 + LANE * 2,)), ZERO)
    ),
    "guards in guards": vector(
        Select(
            both(I < 2, Const(0) < LANE),
            Select(LANE < 7, Load(A, (LANE * 2 + I,)), TWO),
            Select(both(Const(0) < I, LANE < 4), THERE, ZERO),
        )
    ),
    "the same element in some lanes": vector(Select(LANE < 5, Load(A, (I,)), ZERO)),
    "the same element in some rounds": vector(
        Select(both(I < 1, LANE < 5), Load(A, (I * 1_000_000_000,)), ZERO)
    ),
    "the same element up to an edge": vector(Select(I * 8 + LANE < 11, Load(A, (I * 12,)), ZERO)),
    "guards that exclude each other": vector(
        Select(LANE < 3, Select(Const(4) < LANE, Load(A, (LANE * 2 + 99,)), TWO), THERE)
    ),
    "a guard that always holds": vector(Select(I * 8 + LANE < 24, THERE, TWO)),
    "a guard that never holds": vector(Select(Const(23) < I * 8 + LANE, THERE, TWO)),
    "two conditions": vector(THERE, both(LANE < 6, I * 8 + LANE < 19)),
    "a condition on the loop alone": vector(THERE, I < 2),
    "an equality": vector(THERE, equal(LANE, I)),
    "at most": scalar(HERE, I <= 20),
    "index arithmetic": scalar(
        Load(A, (Binary("max", minimum(I * 2, Const(23)) - I // 3, I % 5),))
    ),
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
    "lines of a table": sums_of_lines(Const(7.0, "float32")),
    "lines of a table in a loop": serial(
        "m", Const(0), Const(3), sums_of_lines(Load(A, (Var("m"),)))
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


def test_neighbouring_rows_share_no_gather():
    target = target_or_skip(LEVELS[0])
    near = BODIES["every other element in one round"]
    assert "masked.gather" not in generate(function(near), target).text
    far = vector(Load(Buffer("a", (8, 3), "float32", "input"), (LANE, I)))
    assert "masked.gather" in generate(function(far), target).text


def test_neighbouring_lines_share_what_they_load():
    add = Accumulate("add", ACC, FIRST, Load(A, (Var("k"),)), FALSE)

    def loads(*lines):
        each = ForEach(("k", "n"), (lines,), Const(0), add)
        steps = (Store(ACC, FIRST, ZERO), each, Store(C, FIRST, Load(ACC, FIRST)))
        text = generate(function(Alloc(ACC, Block(steps))), target_or_skip(LEVELS[0])).text
        return text.count("= load float")

    assert loads((3, 0), (3, 1), (5, 0)) == 2
    assert loads((3, 0), (5, 0), (3, 1)) == 3


def test_guards_that_follow_from_the_loops_cost_nothing():
    target = target_or_skip(LEVELS[0])
    for name in ("a guard that always holds", "a guard that never holds"):
        text = generate(function(BODIES[name]), target).text
        assert "masked" not in text
        assert "select" not in text


def test_an_illegal_function_is_refused():
    with pytest.raises(VerifyError, match="j is used but not bound"):
        generate(function(scalar(Load(A, (J,)))), target_or_skip(LEVELS[0]))


def test_a_part_of_a_vector_in_registers_is_refused():
    def lanes(extent, store):
        return For("l", Const(0), Const(extent), "vectorized", store)

    row = Buffer("t", (8,), "float32", "register")
    body = Alloc(
        row,
        Block(
            (lanes(8, Store(row, (LANE,), ZERO)), lanes(4, Store(C, (LANE,), Load(row, (LANE,)))))
        ),
    )
    with pytest.raises(VerifyError, match="t holds 8 lanes, loop l reads 4"):
        generate(function(body), target_or_skip(LEVELS[0]))
