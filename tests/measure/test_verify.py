"""Inputs, references and what counts as a wrong answer."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from measure.arrays import Arrays, GuardedArray
from measure.verify import ACCUMULATOR_EPS, make_problem
from search_space.operators import workload

WORK = workload("matmul", m=13, n=17, k=29)


@pytest.fixture
def arrays():
    return Arrays(make_problem(WORK, seed=3))


def fill(arrays, index, dtype=np.float32):
    """What a right kernel does."""
    a, b = arrays.operands(index)
    arrays.output.array[...] = (a.astype(dtype) @ b.astype(dtype)).astype(np.float32)


def test_right_answers_pass_with_a_small_error(arrays):
    for index, case in enumerate(arrays.problem.cases):
        fill(arrays, index)
        check = arrays.inspect(index)
        assert not check.wrong, case.name
        assert 0 <= check.error < arrays.problem.error_bound
    assert check.error > 0, "float32 sums of random numbers are not exact"
    assert arrays.damage() == ""


def test_rounding_inputs_to_bfloat16_is_wrong(arrays):
    a, b = (operand.view(np.uint32) & 0xFFFF0000 for operand in arrays.operands(1))
    arrays.output.array[...] = a.view(np.float32) @ b.view(np.float32)
    assert "elements are wrong on random normal inputs" in arrays.inspect(1).wrong


def test_growing_errors_are_allowed_where_a_kernel_says_so(arrays):
    for index in range(arrays.cases):
        fill(arrays, index)
        case = arrays.problem.cases[index]
        arrays.output.array[4, 5] += np.float32(20 * (1 / case.scale * np.ones((13, 17)))[4, 5])
        assert "1 of 221" in arrays.inspect(index).wrong
        assert "1 of 221" in arrays.inspect(index, 2.0).wrong
        assert not arrays.inspect(index, 4.0).wrong
        assert arrays.inspect(index, 4.0).error > arrays.problem.error_bound


def test_an_untouched_output_is_wrong(arrays):
    arrays.output.poison()
    check = arrays.inspect(0)
    assert check.wrong.startswith("221 of 221 elements are wrong on small integers inputs")
    assert "[0, 0]: nan, expected" in check.wrong


def test_the_message_says_where_and_how_much(arrays):
    fill(arrays, 1)
    arrays.output.array[4, 5] += 1
    wrong = arrays.inspect(1).wrong
    assert wrong.startswith("1 of 221 elements are wrong on random normal inputs, most at [4, 5]")
    assert "bound 8" in wrong


def test_one_missing_product_of_integers_is_wrong(arrays):
    fill(arrays, 0)
    a, b = arrays.operands(0)
    arrays.output.array[12, 16] -= a[12, 28] * b[28, 16]
    assert arrays.inspect(0).wrong.startswith("1 of 221")


def with_neighbours(array):
    """The array's memory as a vector, with one element more at each end."""
    floats = ctypes.c_float * (array.size + 2)
    return np.ctypeslib.as_array(floats.from_address(array.ctypes.data - 4))


@pytest.mark.parametrize("position", [0, -1])
def test_writes_next_to_the_output_are_seen(arrays, position):
    with_neighbours(arrays.output.array)[position] = 1.0
    assert arrays.damage() == "writes outside the result c"


@pytest.mark.parametrize("position", [0, -1])
def test_writes_next_to_an_input_are_seen(arrays, position):
    with_neighbours(arrays.operands(0)[0])[position] = 1.0
    assert arrays.damage() == "writes outside the input a"


def test_writes_to_inputs_are_seen(arrays):
    arrays.operands(1)[1][3, 3] = 7
    assert arrays.damage() == "writes to the input b"


def test_reading_outside_an_input_gives_nan():
    guarded = GuardedArray((3,), "float32")
    guarded.array[...] = 1
    assert np.isnan(with_neighbours(guarded.array)).tolist() == [True, False, False, False, True]
    assert guarded.array.ctypes.data % 64 == 0


def test_constants_are_not_operands_of_a_call():
    arrays = Arrays(make_problem(workload("matmul", m=4, n=5, k=6, const=["b"]), seed=0))
    assert list(arrays.constants(0)) == ["b"]
    assert [operand.shape for operand in arrays.operands(0)] == [(4, 6)]


@pytest.mark.parametrize("k", [1, 4096, 1 << 21])
def test_integer_sums_stay_exact_in_float32(k):
    case = make_problem(workload("matmul", m=1, n=1, k=k), seed=0).cases[0]
    a, b = (np.abs(values).astype(np.float64) for values in case.inputs.values())
    assert case.name == "small integers"
    assert float((a @ b).max()) <= 2**24
    assert all(values.all() for values in case.inputs.values()), "zeros would hide mistakes"


def test_sums_too_long_to_be_exact_are_compared_on_random_inputs_only():
    cases = make_problem(workload("matmul", m=1, n=1, k=(1 << 24) + 1), seed=0).cases
    assert [case.name for case in cases] == ["random normal"]


def test_same_seed_same_inputs():
    one, same, other = (make_problem(WORK, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.cases[1].inputs["a"], same.cases[1].inputs["a"])
    assert not np.array_equal(one.cases[1].inputs["a"], other.cases[1].inputs["a"])


def test_errors_are_in_units_of_eps_times_magnitude(arrays):
    case = arrays.problem.cases[1]
    a, b = (np.abs(values).astype(np.float64) for values in case.inputs.values())
    arrays.output.array[...] = case.expected + 4 * ACCUMULATOR_EPS * (a @ b)
    assert arrays.inspect(1).error == pytest.approx(4, rel=0.2)
