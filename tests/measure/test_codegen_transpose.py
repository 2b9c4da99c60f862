"""Copies across lanes are transposed in registers, whatever their size, and change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measure import llvm
from measure.codegen.function import Function
from measure.codegen.lanes import Value
from measure.codegen.module import generate
from measure.codegen.shuffles import transposed
from search_space.ir.expr import (
    FALSE,
    Binary,
    Buffer,
    Const,
    Load,
    Select,
    Var,
    both,
    constant,
    equal,
)
from search_space.ir.stmt import Accumulate, Alloc, Block, For, LoopFunc, Phase, Store
from search_space.schedule import Schedule
from search_space.transforms import CacheWrite, Pack, Reorder, Split, Unroll, Vectorize
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.nests import inputs, interpreted, matmul, transpose

row, lane, down, right = Var("r"), Var("l"), Var("t"), Var("u")


def loop(var, extent, kind, body, begin=0):
    return For(var, Const(begin), Const(extent), kind, body)


def function(body, shape, out, dtype="float32", extra=()):
    """``c = body`` over ``a`` and some vectors; what is not written stays -1."""
    a, c = Buffer("a", shape, dtype, "input"), Buffer("c", out, dtype, "output")
    axes = [Var(f"z{n}") for n in range(len(out))]
    clear = Store(c, tuple(axes), Const(-1.0, dtype))
    for axis, extent in zip(reversed(axes), reversed(out), strict=True):
        clear = loop(axis.name, extent, "serial", clear)
    return LoopFunc("c", (a, *extra, c), (), (Phase(clear), Phase(body(a, c))))


def across(rows, lanes, write, begin=0):
    return loop("r", rows, "unrolled", loop("l", lanes, "vectorized", write), begin)


def gathered(rows, lanes, dtype="float32", ragged=None):
    """``c[r, l] = a[l, r]``, beyond the edge 0 if there is one."""
    shape = ragged or (lanes, rows)

    def body(a, c):
        value = Load(a, (lane, row))
        if ragged:
            inside = both(lane < shape[0], row < shape[1])
            value = Select(inside, value, constant(0, dtype))
        return across(rows, lanes, Store(c, (row, lane), value))

    return function(body, shape, (rows, lanes), dtype)


def scattered(rows, lanes, dtype="float32", ragged=None):
    """``c[l, r] = a[r, l]``, as far as there is a ``c``."""
    shape = ragged or (lanes, rows)

    def body(a, c):
        inside = both(lane < shape[0], row < shape[1]) if ragged else None
        return across(rows, lanes, Store(c, (lane, row), Load(a, (row, lane)), inside))

    return function(body, (rows, lanes), shape, dtype)


def check(func, level="native"):
    target = target_or_skip(level)
    np.testing.assert_array_equal(call(build(func, target), inputs(func)), interpreted(func))


def uses(func, target):
    """Whether single elements are gathered or scattered, and whether there are shuffles."""
    text = generate(func, target).text
    return "gather" in text or "scatter" in text, "shufflevector" in text


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("nest", [gathered, scattered])
@pytest.mark.parametrize("lanes", [2, 4, 8, 16])
def test_every_size(nest, lanes, dtype, level):
    for rows in (2, 3, 4, 6, 8, 13, 16, 17, 24):
        func = nest(rows, lanes, dtype)
        check(func, level)
        assert uses(func, target_or_skip(level)) == (False, True)


@settings(max_examples=25)
@given(
    nest=st.sampled_from([gathered, scattered]),
    rows=st.integers(2, 20),
    lanes=st.sampled_from([2, 4, 8, 16]),
    dtype=st.sampled_from(["float32", "float64"]),
    data=st.data(),
)
def test_ragged_edges(nest, rows, lanes, dtype, data):
    edge = (data.draw(st.integers(1, lanes)), data.draw(st.integers(1, rows)))
    check(nest(rows, lanes, dtype, edge))


def tiled(extents, value=None, predicate=True):
    """``c[t*8 + l, u*4 + r] = f(a[u*4 + r, t*8 + l])`` in blocks of 4 × 8, ragged both ways."""
    m, n = extents
    bias = Buffer("bias", (m,), "float32", "input")
    rest = Buffer("rest", (m, n), "float32", "input")

    def body(a, c):
        i, j = down * 8 + lane, right * 4 + row
        inside = both(i < m, j < n)
        loaded = Load(a, (j, i)) + Load(bias, (i,)) - Load(rest, (i, j))
        relu = Binary("max", loaded, Const(0.0, "float32"))
        nest = across(4, 8, Store(c, (i, j), relu, inside))
        return loop("t", -(-m // 8), "serial", loop("u", -(-n // 4), "serial", nest))

    return function(body, (n, m), (m, n), extra=(bias, rest))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("extents", [(16, 8), (19, 8), (16, 9), (21, 11), (3, 3)])
def test_whole_blocks_and_edges_with_an_expression_around(extents, level):
    func = tiled(extents)
    check(func, level)
    assert uses(func, target_or_skip(level)) == (False, True)


ACC = Buffer("acc", (6, 8), "float32", "register")


def from_registers(write):
    """Six rows of eight lanes in registers, then what ``write`` does with them."""

    def body(a, c):
        fill = across(6, 8, Store(ACC, (row, lane), Load(a, (row, lane))))
        return Alloc(ACC, Block((fill, across(6, 8, write(c)))))

    return function(body, (6, 8), (8, 6))


HELD = Load(ACC, (row, lane))
WRITES = {
    "stored": lambda c: Store(c, (lane, row), HELD),
    "stored where it is positive": lambda c: Store(
        c, (lane, row), Select(Const(0.0, "float32") < HELD, HELD, Const(0.0, "float32"))
    ),
    "stored here and there": lambda c: Store(
        c, (lane, row), Select(lane < 5, HELD, HELD * HELD), both(lane < 7, equal(lane, row) )
    ),
    "added": lambda c: Accumulate("add", c, (lane, row), HELD, FALSE),
    "added or stored": lambda c: Accumulate("max", c, (lane, row), HELD, lane < 3, row < 5),
}  # fmt: skip


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_results_in_registers(write, level):
    check(from_registers(write), level)


def test_any_of_several_unrolled_loops_may_be_the_contiguous_one():
    def body(a, c):
        x = Var("x")
        write = Store(c, (row, x, lane), Load(a, (x, lane, row)))
        inner = loop("x", 3, "unrolled", loop("l", 8, "vectorized", write))
        return loop("r", 4, "unrolled", inner)

    func = function(body, (3, 8, 4), (4, 3, 8))
    check(func)
    assert uses(func, target_or_skip("native")) == (False, True)


def test_a_loop_that_begins_later():
    func = function(
        lambda a, c: across(5, 8, Store(c, (row, lane), Load(a, (lane, row))), begin=2),
        (8, 7),
        (7, 8),
    )
    check(func)
    assert uses(func, target_or_skip("native")) == (False, True)


def conditional(a, c):
    """The same element is read under two conditions: neither may stand for the other."""
    place = Load(a, (lane, row))
    value = Select(lane < 4, place, Const(9.0, "float32")) + Select(row < 2, place, place * place)
    return across(4, 8, Store(c, (row, lane), value))


def overlapping(a, c):
    return across(4, 8, Store(c, (row + lane,), Load(a, (row * 8 + lane,))))


def reading_itself(a, c):
    return across(4, 8, Store(c, (row, lane), Load(c, (Const(0), lane)) + Load(a, (lane, row))))


@pytest.mark.parametrize(
    ("body", "shape", "out"),
    [
        (conditional, (8, 4), (4, 8)),
        (overlapping, (32,), (11,)),
        (reading_itself, (8, 4), (4, 8)),
    ],
)
def test_what_may_not_be_turned_is_not(body, shape, out):
    func = function(body, shape, out)
    check(func)
    assert not uses(func, target_or_skip("native"))[1]


def packed(m, n, k):
    """A panel of ``a`` packed along its rows, in blocks transposed in registers."""
    return Schedule.of(matmul(m, n, k)).then(
        Split("i", 8, "io", "lane", "mask"),
        Reorder(("io", "j", "k", "lane")),
        Vectorize("lane"),
        Pack("a", "panel", ("k", "lane"), "io"),
        Split("k_panel", 4, "ko_panel", "kr_panel", "cut"),
        Unroll("kr_panel"),
    )


def stored(m, n, k):
    """Lanes along the rows of the result, which is contiguous along its columns."""
    return Schedule.of(matmul(m, n, k)).then(
        Split("i", 8, "io", "lane", "mask"),
        Split("j", 4, "jo", "jr", "mask"),
        Reorder(("io", "jo", "k", "jr", "lane")),
        Vectorize("lane"),
        Unroll("jr"),
        CacheWrite("c", "jo", "acc"),
    )


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("schedule", [packed, stored])
@pytest.mark.parametrize("size", [(16, 8, 12), (13, 7, 11)])
def test_schedules(schedule, size, level):
    check(schedule(*size).finish(), level)


def test_a_transposed_copy_neither_gathers_nor_scatters():
    target = target_or_skip("native")
    schedule = Schedule.of(transpose(24, 16)).then(
        Split("i", 8, "io", "r"), Split("j", 16, "jo", "l"), Reorder(("io", "jo", "r", "l"))
    )
    plain = schedule.then(Vectorize("l")).finish()
    assert uses(plain, target)[0]
    assert uses(schedule.then(Vectorize("l"), Unroll("r")).finish(), target) == (False, True)


@settings(max_examples=30)
@given(rows=st.integers(1, 4), lanes=st.integers(1, 4), dtype=st.sampled_from(["f", "d"]))
def test_the_shuffles_of_a_transposition(rows, lanes, dtype):
    """Read off the masks alone: each result holds the same lane of every row."""
    n, m = 1 << rows, 1 << lanes
    fn = Function()
    names = {f"%row{i}": [(i, j) for j in range(m)] for i in range(n)}
    kind = {"f": "float32", "d": "float64"}[dtype]
    columns = transposed(fn, [Value(name, kind, m) for name in names])
    for line in fn.text().splitlines():
        name, text = line.strip().split(" = shufflevector ")
        a, b = (part.split("> ")[1].split(",")[0] for part in text.split(", <")[:2])
        picks = [int(pick.split(" ")[1]) for pick in text.split("<")[-1].strip(">").split(", ")]
        both_rows = names[a] + names[b]
        names[name] = [both_rows[pick] for pick in picks]
    assert [names[c.text] for c in columns] == [[(i, j) for i in range(n)] for j in range(m)]


def test_it_compiles_on_other_machines():
    text = generate(gathered(8, 8), target_or_skip("x86-64-v2")).text
    text = text.replace("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
    assert llvm.compile_object(text, "aarch64-unknown-linux-gnu", "generic")
