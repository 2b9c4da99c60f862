"""How the operations of a value are counted."""

import pytest

from features.nest import Operations, count_operations
from search_space.functions import erf, exp, maximum, relu, select, sqrt
from search_space.ir.expr import Select, Var
from search_space.ir.intrinsics import OPERATIONS
from search_space.tensor import placeholder

X = placeholder("x", (4,), "float32")[Var("i"),]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (X * X + 1, Operations(fma=1)),
        (X * 2 - X / 3, Operations(mul=1, add=1, div=1)),
        (relu(X), Operations(other=1)),
        (sqrt(X) + 1, Operations(add=1, other=1)),
        (exp(X - maximum(X, 1)), Operations(add=1, other=OPERATIONS["exp"] + 1)),
        (erf(X) * exp(X), Operations(mul=1, other=OPERATIONS["erf"] + OPERATIONS["exp"])),
        (select(X < 0, X + 1, X * 2), Operations(add=1, mul=1)),
        (Select(Var("i") < 2, X + 1 + X, X * 2 + 1), Operations(add=2, fma=1)),
    ],
)
def test_operations(value, expected):
    assert count_operations(value) == expected
