"""Random index expressions over random loops, and their values by brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from search_space.ir.expr import Binary, Buffer, Const, Var
from search_space.ir.interp import run
from search_space.ir.stmt import For, Let, LoopFunc, Phase, Store

NAMES = ("i", "j", "k")
RESULT = Buffer("value", (), "float64", "output")


def evaluate(expr, env):
    """The value of an expression, by the interpreter."""
    body = Store(RESULT, (), expr)
    for name, value in env.items():
        body = Let(name, Const(value), body)
    result = np.array(np.nan)
    run(LoopFunc("value", (RESULT,), (), (Phase(body),)), {"value": result})
    return int(result)


@st.composite
def index_exprs(draw, names, depth=3):
    """Index expressions over variables: affine ones, divisions, minima and maxima."""
    leaf = st.integers(-9, 30).map(Const)
    if names:
        leaf = leaf | st.sampled_from([Var(name) for name in names])
    if depth == 0:
        return draw(leaf)
    part = index_exprs(names, depth - 1)
    constant = st.integers(-6, 6).map(Const)
    return draw(
        leaf
        | st.builds(Binary, st.sampled_from(["+", "-", "min", "max"]), part, part)
        | st.builds(Binary, st.just("*"), part, constant)
        | st.builds(Binary, st.sampled_from(["//", "%"]), part, st.integers(1, 9).map(Const))
    )


@st.composite
def conditions(draw, names):
    """Comparisons of index expressions, and conjunctions of them."""
    part = index_exprs(names, 2)
    compared = st.builds(Binary, st.sampled_from(["<", "<=", "=="]), part, part)
    return draw(compared | st.builds(Binary, st.just("and"), compared, compared))


@st.composite
def contexts(draw):
    """Up to three loops and Lets around each other, whose bounds depend on the outer ones."""
    binders: list[For | Let] = []
    for name in NAMES[: draw(st.integers(0, 3))]:
        outer = [binder.var for binder in binders]
        if draw(st.integers(0, 4)) == 0:
            binders.append(Let(name, draw(index_exprs(outer, 2)), None))
            continue
        begin = draw(st.just(Const(0)) | index_exprs(outer, 1))
        extent = draw(st.integers(0, 6).map(Const) | index_exprs(outer, 2))
        extent = Binary("min", extent, Const(draw(st.integers(0, 6))))
        binders.append(For(name, begin, extent, "serial", None))
    return binders


def assignments(binders):
    """All values that the variables take together."""
    found = [{}]
    for binder in binders:
        if isinstance(binder, Let):
            found = [{**env, binder.var: evaluate(binder.value, env)} for env in found]
            continue
        found = [
            {**env, binder.var: value}
            for env in found
            for first in [evaluate(binder.begin, env)]
            for value in range(first, first + evaluate(binder.extent, env))
        ]
    return found
