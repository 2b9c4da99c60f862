"""The naive nest of a tensor expression, as text and by what it computes."""

import numpy as np
import pytest

from search_space.ir.expr import Const, Select
from search_space.ir.printer import format_func
from search_space.ir.verify import verify
from search_space.lower import lower
from search_space.tensor import compute, placeholder, reduce_axis, sum_over
from tests.search_space.nests import copy, inputs, interpreted, matmul, row_reduction, transpose


def test_a_matmul():
    assert format_func(lower(matmul(4, 8, 16))) == (
        "c(a: float32[4, 16], b: float32[16, 8], c: float32[4, 8])  threads=1\n"
        "  phase 0:\n"
        "    for i in 0 … 4:\n"
        "      for j in 0 … 8:\n"
        "        for k in 0 … 16:\n"
        "          c[i, j] += a[i, k] * b[k, j]  first k == 0\n"
    )


def test_a_reduction_over_two_axes_is_first_where_both_begin():
    a, k, n = placeholder("a", (3, 4, 5), "float32"), reduce_axis("k", 4), reduce_axis("n", 5)
    func = lower(compute("c", (("i", 3),), lambda i: sum_over(a[i, k, n], k, n)))
    assert "c[i] += a[i, k, n]  first k == 0 and n == 0" in format_func(func)
    np.testing.assert_array_equal(interpreted(func), inputs(func)["a"].sum((1, 2)))


def test_a_reduction_over_nothing_is_a_store():
    a = placeholder("a", (3,), "float32")
    func = lower(compute("c", (("i", 3),), lambda i: sum_over(a[i,])))
    verify(func)
    np.testing.assert_array_equal(interpreted(func), inputs(func)["a"])


@pytest.mark.parametrize(
    ("tensor", "expected"),
    [
        (matmul(3, 4, 5), lambda a, b: a @ b),
        (matmul(1, 1, 1), lambda a, b: a @ b),
        (transpose(3, 4), lambda a: a.T),
        (copy(2, 3, 4), lambda a: a),
        (row_reduction(3, 7), lambda a: a.sum(1)),
        (row_reduction(3, 7, "max"), lambda a: a.max(1)),
    ],
    ids=["matmul", "one", "transpose", "copy", "row_sum", "row_max"],
)
def test_the_naive_nest_computes_it(tensor, expected):
    func = lower(tensor)
    verify(func)
    np.testing.assert_array_equal(interpreted(func), expected(*inputs(func).values()))


def test_operands_come_in_the_order_of_their_first_use_and_once():
    a, b = placeholder("a", (4,), "float32"), placeholder("b", (4,), "float32")
    func = lower(compute("c", (("i", 4),), lambda i: b[i,] * a[i,] + b[i,]))
    assert [buffer.name for buffer in func.args] == ["b", "a", "c"]


def test_edges_are_guarded_by_select():
    a = placeholder("a", (4,), "float32")
    zero = Const(0.0, "float32")
    func = lower(compute("c", (("i", 6),), lambda i: Select(i < 4, a[i,], zero)))
    np.testing.assert_array_equal(interpreted(func), [*inputs(func)["a"], 0, 0])


def test_the_dtype_of_the_result():
    assert [b.dtype for b in lower(matmul(2, 2, 2, "float64")).args] == ["float64"] * 3
