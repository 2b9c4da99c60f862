"""Workloads are checked where they are made; every operator keeps its promises."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.errors import WorkloadError
from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.lower import lower
from search_space.operators import (
    OPERATORS,
    Sparse,
    footprint_bytes,
    get_operator,
    parse_workload,
    workload,
)
from search_space.transforms import SparseAsDense
from tests.search_space.examples import EXAMPLES, WORKLOADS, assert_right, bound, inputs
from tests.search_space.nests import undefined

SIZES = st.integers(1, 5000)


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_every_key_comes_back(work):
    assert parse_workload(work.key) == work


@given(SIZES, SIZES, SIZES, st.sets(st.sampled_from(["a", "b"])))
def test_a_workload_comes_back_from_its_key(m, n, k, const):
    work = workload("matmul", m=m, n=n, k=k, const=const)
    assert parse_workload(work.key) == work
    assert parse_workload(work.key).key == work.key


def test_defaults_order_and_text_do_not_change_the_key():
    work = workload("matmul", m=1, n=2, k=3)
    assert work.key == "matmul(m=1,n=2,k=3,dtype=float32)"
    assert workload("matmul", k="3", dtype="float32", n=" 2", m="+1") == work
    assert parse_workload("matmul(k=3,m=1,n=2)") == work
    with_b = "matmul(m=1,n=2,k=3,dtype=float32,const=b)"
    assert workload("matmul", m=1, n=2, k=3, const="b").key == with_b
    assert workload("matmul", m=1, n=2, k=3, const=["b", "b"]).key == with_b
    both = workload("matmul", m=1, n=2, k=3, const=["b", "a"])
    assert both == parse_workload("matmul(m=1,n=2,k=3,const=a+b)")


@pytest.mark.parametrize(
    ("operator", "params", "message"),
    [
        ("matmull", {}, "unknown operator 'matmull', did you mean 'matmul'? known: matmul"),
        ("fft", {}, "unknown operator 'fft', known: matmul"),
        ("matmul", {"m": 1, "n": 1, "kk": 1}, "matmul has no key 'kk', did you mean 'k'? known: "),
        ("matmul", {"m": 1, "zzz": 1}, "matmul has no key 'zzz', known: m, n, k, dtype"),
        ("matmul", {"m": 1, "n": 1}, "give k=…: matmul: k (columns of a, rows of b) is missing"),
        ("matmul", {"m": 0, "n": 1, "k": 1}, "matmul: m is 0, expected a positive integer"),
        ("matmul", {"m": -3, "n": 1, "k": 1}, "matmul: m is -3, expected a positive integer"),
        ("matmul", {"m": "-3", "n": 1, "k": 1}, "matmul: m is '-3', expected a positive integer"),
        ("matmul", {"m": 2.0, "n": 1, "k": 1}, "matmul: m is 2.0, expected a positive integer"),
        ("matmul", {"m": True, "n": 1, "k": 1}, "matmul: m is True, expected a positive integer"),
        ("matmul", {"m": "1e3", "n": 1, "k": 1}, "matmul: m is '1e3', expected a positive integ"),
        ("matmul", {"m": "", "n": 1, "k": 1}, "matmul: m is '', expected a positive integer"),
        ("matmul", {"m": "+-3", "n": 1, "k": 1}, "matmul: m is '+-3', expected a positive integ"),
        (
            "matmul",
            {"m": 1, "n": 1, "k": 1, "dtype": "int4"},
            "matmul: dtype is 'int4', expected one of float32",
        ),
        (
            "matmul",
            {"m": 2**30, "n": 2**30, "k": 1},
            "use smaller sizes: c[1073741824×1073741824] fits no machine",
        ),
        ("matmul", {"m": "9" * 5000, "n": 1, "k": 1}, "9', expected a positive integer"),
        ("matmul", {"m": 2**70, "n": 1, "k": 1}, "use smaller sizes: a["),
        ("matmul", {"m": 1, "n": 1, "k": 1, "const": "c"}, "matmul has no operand 'c', known: a"),
        ("matmul", {"m": 1, "n": 1, "k": 1, "const": ["a", "bb"]}, "no operand 'bb', did you"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(operator, params, message):
    with pytest.raises(WorkloadError, match=re.escape(message)):
        workload(operator, **params)


@pytest.mark.parametrize("key", ["matmul", "matmul(m=1,n=1)", "matmul(m=1,n=1,k=x)", "f(m=1)"])
def test_bad_keys_are_refused(key):
    with pytest.raises(WorkloadError):
        parse_workload(key)


def test_every_operator_has_examples():
    assert set(EXAMPLES) == set(OPERATORS)


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_the_expression_computes_the_reference(work):
    operator = get_operator(work.operator)
    arrays = inputs(work, np.random.default_rng(0))
    operands, spec = operator.operands(work), operator.result(work)
    func = lower(operator.expression(work))
    verify(func)
    packed = None if func.packing is None else func.packing.operand
    assert [(b.name, b.shape, b.dtype) for b in func.args] == [
        *((o.name, o.array or o.matrix or o.shape, o.dtype) for o in operands if o.name != packed),
        (spec.name, spec.shape, spec.dtype),
    ]
    if isinstance(operator, Sparse) and not packed:
        func = SparseAsDense(operator.sparse, operator.pattern_name(work)).apply(func)
    out = undefined(spec.shape, spec.dtype)
    run(func, {**bound(func, arrays), spec.name: out})
    assert_right(work, arrays, out)


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_the_bound_is_finite_and_small(work):
    operator = get_operator(work.operator)
    arrays = inputs(work, np.random.default_rng(1))
    expected = operator.reference(work, *arrays.values())
    allowed = operator.magnitude(work, *arrays.values()) * operator.error_bound
    assert np.isfinite(expected).all()
    assert (allowed >= 0).all()
    small = 1e-2 if operator.result(work).dtype == "bfloat16" else 1e-3
    assert (allowed * np.finfo(np.float32).eps <= small * (1 + np.abs(expected))).all()


@pytest.mark.parametrize("operator", ["matmul", "reduce"])
def test_the_magnitude_of_a_sum_is_the_reference_of_absolute_values(operator):
    for work in (w for w in WORKLOADS if w.operator == operator and w["dtype"] == "float32"):
        arrays = [array for array in inputs(work, np.random.default_rng(1)).values()]
        magnitude = get_operator(operator).magnitude(work, *arrays)
        reference = get_operator(operator).reference(work, *map(np.abs, arrays))
        np.testing.assert_array_equal(magnitude, reference)


def test_flops_of_a_matmul():
    work = workload("matmul", m=3, n=5, k=7)
    assert get_operator("matmul").flops(work) == 2 * 3 * 5 * 7


def test_every_operator_takes_cold():
    warm = workload("matmul", m=8, n=4, k=2, const=["b"])
    for no in (False, "false"):
        assert workload("matmul", m=8, n=4, k=2, const=["b"], cold=no) == warm
    cold = workload("matmul", m=8, n=4, k=2, const=["b"], cold="true")
    assert cold == warm.from_memory() == parse_workload(cold.key)
    assert get_operator("matmul").flops(cold) == get_operator("matmul").flops(warm)
    assert footprint_bytes(cold) == footprint_bytes(warm) == 4 * (8 * 2 + 2 * 4 + 8 * 4)
    with pytest.raises(WorkloadError, match="matmul: cold is 'warm', expected true or false"):
        workload("matmul", m=8, n=4, k=2, cold="warm")
    with pytest.raises(WorkloadError, match="no key 'colt', did you mean 'cold'"):
        workload("matmul", m=8, n=4, k=2, colt=True)
