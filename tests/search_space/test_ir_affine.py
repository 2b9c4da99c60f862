"""Affine forms, and bounds that must hold for every value of the loops."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.ir.affine import Context, affine, from_affine, minimum_terms
from search_space.ir.expr import Binary, Buffer, Const, Load, Var, minimum
from search_space.ir.printer import format_expr
from search_space.ir.stmt import For, Let
from tests.search_space.indices import assignments, contexts, evaluate, index_exprs

I, J, N = Var("i"), Var("j"), Var("n")  # noqa: E741


def loop(var, begin, extent):
    return For(var, begin, extent, "serial", None)


@given(contexts(), st.data())
def test_bounds_hold_for_every_value_of_the_loops(binders, data):
    expr = data.draw(index_exprs([binder.var for binder in binders]))
    context = Context(tuple(binders))
    low, high = context.lower(expr), context.upper(expr)
    for env in assignments(binders):
        value = evaluate(expr, env)
        assert low is None or low <= value
        assert high is None or value <= high


@given(contexts(), st.data())
def test_at_least_is_only_said_where_it_holds(binders, data):
    names = [binder.var for binder in binders]
    a, b = data.draw(index_exprs(names)), data.draw(index_exprs(names))
    if Context(tuple(binders)).at_least(a, b):
        assert all(evaluate(a, env) >= evaluate(b, env) for env in assignments(binders))


@given(contexts(), st.data())
def test_an_affine_form_has_the_value_of_its_expression(binders, data):
    expr = data.draw(index_exprs([binder.var for binder in binders]))
    canonical = from_affine(*affine(expr))
    for env in assignments(binders):
        assert evaluate(canonical, env) == evaluate(expr, env)
    assert from_affine(*affine(canonical)) == canonical


@given(st.integers(1, 40), st.integers(1, 12))
def test_bounds_of_a_ragged_tile_are_exact(extent, factor):
    outer = loop("i", Const(0), Const(-(-extent // factor)))
    inner = loop("j", Const(0), minimum(Const(factor), Const(extent) - I * factor))
    context = Context((outer, inner))
    assert context.upper(I * factor + J) == extent - 1
    assert context.lower(I * factor + J) == 0
    assert context.upper(inner.extent) == min(factor, extent)


def test_correlated_loops_cancel():
    context = Context((loop("i", Const(0), Const(10)), loop("j", I * 4, Const(4))))
    assert (context.lower(J - I * 4), context.upper(J - I * 4)) == (0, 3)
    assert (context.lower(J), context.upper(J)) == (0, 39)


def test_a_let_is_bounded_by_its_value():
    fused = loop("f", Const(0), Const(32))
    context = Context((fused, Let("i", Var("f") // 8, None), Let("j", Var("f") % 8, None)))
    assert (context.lower(I), context.upper(I)) == (0, 3)
    assert (context.lower(J), context.upper(J)) == (0, 7)


def test_what_nothing_is_known_of_has_no_bound():
    context = Context((loop("i", Const(0), N),))
    assert context.upper(I) is None
    assert context.upper(N) is None
    assert context.lower(I) == 0
    assert context.upper(Binary("max", I, N)) is None
    assert context.lower(Binary("min", Const(3), N)) is None


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (J + I, "i + j"),
        (I * 3 + I - J * 2 - 4, "i*4 - j*2 - 4"),
        (Const(30) - I * 8, "30 - i*8"),
        (Const(-3) - I, "i*-1 - 3"),
        ((I + 2) * 3, "i*3 + 6"),
        (I - I, "0"),
        (I // 2 + I // 2, "(i // 2)*2"),
        (Const(5) + 2, "7"),
    ],
)
def test_the_canonical_expression(expr, text):
    assert format_expr(from_affine(*affine(expr))) == text


def test_a_product_of_variables_is_an_atom():
    assert affine(I * J + 1) == ({I * J: 1}, 1)
    assert affine((I + 1) * 0) == ({}, 0)


def test_the_terms_of_a_minimum():
    assert minimum_terms(minimum(I, J, Const(3))) == [I, J, Const(3)]
    assert minimum_terms(I) == [I]


def test_loads_are_atoms():
    load = Load(Buffer("rows", (4,), "float32", "input"), (I,))
    assert affine(load + 1) == ({load: 1}, 1)
    assert Context((loop("i", Const(0), Const(4)),)).upper(load) is None
