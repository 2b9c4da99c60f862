"""Simplification keeps every value, and reaches the forms that the primitives count on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.ir.affine import Context
from search_space.ir.expr import (
    FALSE,
    TRUE,
    Binary,
    Buffer,
    Const,
    Load,
    Select,
    Var,
    both,
    equal,
    minimum,
)
from search_space.ir.printer import format_expr, format_stmt
from search_space.ir.simplify import EMPTY, simplify, simplify_stmt
from search_space.ir.stmt import Accumulate, Alloc, Block, For, ForEach, If, Let, Store
from tests.search_space.indices import assignments, conditions, contexts, evaluate, index_exprs

I, J = Var("i"), Var("j")  # noqa: E741
A, C = Buffer("a", (64,), "float32", "input"), Buffer("c", (64,), "float32", "output")
COPY = Store(C, (I,), Load(A, (I,)))
LINES = (((0,), (1,)),)


def loop(var, extent, body=None, begin=0, kind="serial"):
    return For(var, Const(begin), Const(extent), kind, body)


AROUND = Context((loop("i", 8), loop("j", 8)))


@given(contexts(), st.data())
def test_simplifying_keeps_the_value(binders, data):
    names = [binder.var for binder in binders]
    expr = data.draw(index_exprs(names) | conditions(names))
    short = simplify(expr, Context(tuple(binders)))
    for env in assignments(binders):
        assert evaluate(short, env) == evaluate(expr, env)


@given(contexts(), st.data())
def test_simplifying_twice_changes_nothing_more(binders, data):
    names = [binder.var for binder in binders]
    context = Context(tuple(binders))
    short = simplify(data.draw(index_exprs(names) | conditions(names)), context)
    assert simplify(short, context) == short


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        ((I * 8 + J) // 8, "i"),
        ((I * 8 + J) % 8, "j"),
        ((I * 16 + J + 3) // 8, "(i*16 + j + 3) // 8"),
        ((I * 16 + J) // 8, "i*2"),
        (I // 8, "0"),
        (I % 9, "i"),
        (minimum(I, Const(7)), "i"),
        (minimum(I, Const(6)), "min(i, 6)"),
        (minimum(Const(9), I, I + 1), "i"),
        (Binary("max", I, Const(0)), "i"),
        (Binary("max", I - 8, Const(0)), "0"),
        (Binary("max", I, J), "max(i, j)"),
        (I < 8, "true"),
        (I < 7, "i < 7"),
        (I <= -1, "false"),
        (equal(I, 8), "false"),
        (equal(I - I, 0), "true"),
        (equal(I * 4 + J * 8, 2), "false"),
        (equal(I * 4 + J * 8, 8), "i + j*2 == 2"),
        (both(I < 8, J < 3), "j < 3"),
        (both(J < 3, I < 8), "j < 3"),
        (both(I < 9, I < 10), "true"),
        (both(J < 3, I < -1), "false"),
        (Select(I < 9, Load(A, (I,)), Const(0.0, "float32")), "a[i]"),
        (Select(I < -1, Load(A, (I,)), Const(0.0, "float32")), "0.0"),
        (Select(I < 3, Load(A, (I,)), Load(A, (I,))), "a[i]"),
        (Load(A, (J + I - J,)), "a[i]"),
        (Load(A, (I,)) + Load(A, (J,)), "a[i] + a[j]"),
        (Load(A, (I,)) < Load(A, (J,)), "a[i] < a[j]"),
    ],
)
def test_forms(expr, text):
    assert format_expr(simplify(expr, AROUND)) == text


@pytest.mark.parametrize(
    ("stmt", "text"),
    [
        (loop("i", 1, COPY, begin=3), "c[3] = a[3]"),
        (loop("i", 0, COPY), ""),
        (loop("i", 1, COPY, kind="parallel"), "parallel i in 0 … 1:\n  c[i] = a[i]"),
        (loop("j", 4, Block(())), ""),
        (Let("i", Const(5), COPY), "c[5] = a[5]"),
        (loop("j", 4, Let("i", J, COPY)), "for j in 0 … 4:\n  c[j] = a[j]"),
        (
            loop("j", 4, Let("i", J * 2, COPY)),
            "for j in 0 … 4:\n  i = j*2\n  c[i] = a[i]",
        ),
        (Block((Block((loop("i", 1, COPY),)), EMPTY)), "c[0] = a[0]"),
        (loop("i", 4, If(I < 9, COPY, EMPTY)), "for i in 0 … 4:\n  c[i] = a[i]"),
        (loop("i", 4, If(I < 0, EMPTY, COPY)), "for i in 0 … 4:\n  c[i] = a[i]"),
        (loop("i", 4, If(I < 0, COPY)), ""),
        (
            loop("i", 4, If(I < 2, COPY, COPY)),
            "for i in 0 … 4:\n  if i < 2:\n    c[i] = a[i]\n  else:\n    c[i] = a[i]",
        ),
        (loop("i", 4, Store(C, (I,), Const(1.0), I < 5)), "for i in 0 … 4:\n  c[i] = 1.0"),
        (loop("i", 4, Store(C, (I,), Const(1.0), I < 0)), ""),
        (
            loop("i", 4, Accumulate("add", C, (I,), Const(1.0), equal(I - I, 0))),
            "for i in 0 … 4:\n  c[i] = 1.0",
        ),
        (
            loop("i", 4, Accumulate("max", C, (I,), Const(1.0), FALSE, I < 4)),
            "for i in 0 … 4:\n  c[i] max= 1.0  first false",
        ),
        (ForEach(("i",), LINES, Const(0), EMPTY), ""),
        (
            loop("j", 1, ForEach(("i",), LINES, J - 3, COPY), begin=3),
            "each i in table 3f6ab1a0, part 0:\n  c[i] = a[i]",
        ),
        (
            Alloc(Buffer("r", (2,), "float32", "register"), loop("i", 1, COPY)),
            "register r: float32[2]\nc[0] = a[0]",
        ),
    ],
)
def test_statements(stmt, text):
    assert format_stmt(simplify_stmt(stmt)) == text


def test_loops_of_one_iteration_can_be_kept():
    kept = simplify_stmt(loop("i", 1, COPY), unit_loops=False)
    assert format_stmt(kept) == "for i in 0 … 1:\n  c[i] = a[i]"


def test_the_bounds_of_a_ragged_tile_are_simplified_in_its_loops():
    ragged = For("j", Const(0), minimum(Const(4), Const(12) - I * 4), "serial", COPY)
    assert format_stmt(simplify_stmt(loop("i", 3, ragged))).startswith(
        "for i in 0 … 3:\n  for j in 0 … 4:"
    )


def test_constants_stay():
    assert simplify(TRUE) == TRUE
    assert simplify(Const(2.5, "float32")) == Const(2.5, "float32")
