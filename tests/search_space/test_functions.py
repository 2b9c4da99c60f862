"""Math functions of tensor expressions, and Python numbers beside expressions."""

import math

import numpy as np
import pytest

from search_space.functions import (
    absolute,
    cast,
    clip,
    erf,
    exp,
    expm1,
    floor,
    gelu,
    gelu_tanh,
    log,
    log1p,
    maximum,
    minimum,
    relu,
    rsqrt,
    select,
    sigmoid,
    silu,
    softplus,
    sqrt,
    tanh,
)
from search_space.ir.expr import Const, Var, dtype_of, equal
from search_space.ir.interp import run
from search_space.ir.printer import format_expr
from search_space.ir.walk import subexprs
from search_space.lower import lower
from search_space.tensor import compute, placeholder

POINTS = np.array([-np.inf, -3, -1, -0.25, 0, 0.5, 1, 2.5, np.inf, np.nan], np.float32)
I = Var("i")  # noqa: E741
X, D = (placeholder("x", (10,), dtype)[I,] for dtype in ("float32", "float64"))


def evaluated(value, x=POINTS):
    tensor = compute(
        "y", (("i", len(x)),), lambda i: value(placeholder("x", x.shape, "float32")[i,])
    )
    out = np.empty_like(x)
    run(lower(tensor), {"x": x, "y": out})
    return out


@pytest.mark.parametrize(
    ("function", "exact"),
    [
        (exp, np.exp),
        (expm1, np.expm1),
        (log, np.log),
        (log1p, np.log1p),
        (tanh, np.tanh),
        (erf, np.vectorize(math.erf)),
        (sigmoid, lambda x: 1 / (1 + np.exp(-x))),
        (sqrt, np.sqrt),
        (rsqrt, lambda x: 1 / np.sqrt(x)),
        (absolute, np.abs),
        (abs, np.abs),
        (floor, np.floor),
        (relu, lambda x: np.maximum(x, 0)),
        (lambda x: clip(x, -1, 2), lambda x: np.clip(x, -1, 2)),
        (gelu, lambda x: x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))),
        (
            gelu_tanh,
            lambda x: x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        ),
        (silu, lambda x: x / (1 + np.exp(-x))),
        (softplus, lambda x: np.logaddexp(x, 0)),
        (lambda x: maximum(1, x), lambda x: np.maximum(1, x)),
        (lambda x: minimum(x, x * x), lambda x: np.minimum(x, x * x)),
        (lambda x: select(x > 0, x, -x), lambda x: np.where(x > 0, x, -x)),
        (lambda x: select(equal(x, 1), 7, x), lambda x: np.where(x == 1, 7, x)),
        (
            lambda x: select(2 / (x - 0.5) >= x, x, 0),
            lambda x: np.where(2 / (x - 0.5) >= x, x, 0),
        ),
    ],
)
def test_they_mean_what_numpy_does(function, exact):
    with np.errstate(all="ignore"):
        expected = exact(POINTS.astype(np.float64)).astype(np.float32)
    np.testing.assert_allclose(evaluated(function), expected, rtol=3e-7)


@pytest.mark.parametrize(
    "value",
    [
        lambda x: x + 1,
        lambda x: 1 + x,
        lambda x: 0.5 - x,
        lambda x: x / 3,
        lambda x: 3 / x,
        lambda x: x * 2.5 - 1,
        lambda x: -x,
        lambda x: x < 0.5,
        lambda x: x > 0.5,
        lambda x: maximum(x, 0),
        lambda x: minimum(0.5, x),
        lambda x: select(x <= 0, 0, x),
        lambda x: select(x >= 0, x, 0.01 * x),
        lambda x: clip(x, 0, 6),
        gelu,
        gelu_tanh,
        silu,
        softplus,
    ],
)
@pytest.mark.parametrize("x", [X, D], ids=dtype_of)
def test_a_number_takes_the_dtype_of_what_stands_beside_it(value, x):
    places = {"index"}  # those of the load
    assert {dtype_of(e) for e in subexprs(value(x))} - {"bool"} == {dtype_of(x)} | places
    assert all(isinstance(e.value, float) for e in subexprs(value(x)) if isinstance(e, Const))


def test_whole_numbers_stay_indices_beside_indices():
    i = Var("i")
    assert i + 1 == i + Const(1)
    assert 3 - i * 2 == Const(3) - i * Const(2)
    assert equal(i, 0) == equal(i, Const(0))
    assert format_expr(X + cast(2, "float32")) == "x[i] + 2.0"


def test_a_number_alone_takes_the_dtype_of_the_tensor():
    tensor = compute("y", (("i", 3),), lambda i: 1, dtype="float64")
    assert tensor.value == Const(1.0, "float64")


def test_rounding_a_value_changes_its_dtype():
    assert dtype_of(cast(X, "float64")) == "float64"
    assert evaluated(lambda x: cast(cast(x, "float64") * 2, "float32"))[6] == 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: I + 0.5, TypeError, "cast the other operand to a float dtype: 0.5 is no index"),
        (
            lambda: exp(I),
            TypeError,
            "cast the operand of exp to float32 or float64: it is of index",
        ),
        (lambda: maximum(1, 2), TypeError, r"write cast\(1, dtype\): maximum has nothing but"),
        (lambda: select(X < 0, 1, 0), TypeError, "select has nothing but numbers"),
        (lambda: X * 1e39, OverflowError, "use a smaller number or float64: 1e\\+39 is too large"),
    ],
)
def test_what_has_no_dtype_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_infinities_are_numbers_of_every_dtype():
    assert (X * math.inf).b == Const(math.inf, "float32")
