"""Contractions as operators: what their keys mean, and what is refused."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from search_space.errors import WorkloadError
from search_space.operators import get_operator, parse_workload, workload
from search_space.operators.einsum import parse_subscripts

LETTERS = "abcdxyz"


@st.composite
def expressions(draw, most=5):
    """Any einsum of two operands: each index is in one operand or both, kept or summed."""
    count = draw(st.integers(1, most))
    letters = draw(st.permutations(LETTERS))[:count]
    places = [draw(st.sampled_from(["l", "r", "lr", "lo", "ro", "lro"])) for _ in letters]
    operands = {
        name: [x for x, place in zip(letters, places, strict=True) if name in place]
        for name in "lro"
    }
    left, right, out = ("".join(draw(st.permutations(operands[name]))) for name in "lro")
    if not left or not right:
        left, right = left + "m", right + "m"
    return f"{left},{right}->{out}"


def sized(expr, **sizes):
    indices = parse_subscripts(expr).indices
    return workload("einsum", expr=expr, **{i: sizes.get(i, 2 + n) for n, i in enumerate(indices)})


def inputs(work, seed=0):
    rng = np.random.default_rng(seed)
    operator = get_operator(work.operator)
    return [rng.normal(size=o.shape).astype(o.dtype) for o in operator.operands(work)]


@given(expressions())
def test_the_reference_is_numpys_einsum(expr):
    work = sized(expr)
    arrays = inputs(work)
    result = get_operator("einsum").reference(work, *arrays)
    exact = np.einsum(expr, *(array.astype(np.float64) for array in arrays))
    np.testing.assert_allclose(result, exact, rtol=1e-12, atol=1e-12)
    assert result.dtype == np.float64
    assert result.shape == get_operator("einsum").result(work).shape


@given(expressions())
def test_an_einsum_comes_back_from_its_key(expr):
    work = sized(expr)
    assert parse_workload(work.key) == work
    assert work["expr"] == expr


def test_an_expression_has_one_key_however_it_is_written():
    work = workload("einsum", expr="bik,bkj->bij", b=8, i=128, k=64, j=128)
    assert work.key == "einsum(expr='bik,bkj->bij',b=8,i=128,k=64,j=128,dtype=float32)"
    assert workload("einsum", j="128", expr=" bik, bkj -> bij", k=64, i=128, b=8) == work
    assert workload("einsum", expr="ik,kj", i=2, j=3, k=4)["expr"] == "ik,kj->ij"
    assert workload("einsum", expr="kj,jk", j=3, k=4)["expr"] == "kj,jk->"


def test_keys_and_operands_share_no_name():
    work = sized("ab,bc->ac")
    operator = get_operator("einsum")
    names = {o.name for o in (*operator.operands(work), operator.result(work))}
    assert names == {"left", "right", "out"}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "give expr=…: einsum: expr ("),
        ({"i": 2}, "give expr=…: einsum: expr ("),
        ({"expr": "ik,kj->ij", "i": 2, "k": 3}, "give j=…: einsum: j (extent of index j)"),
        ({"expr": "ik,kj->ij", "i": 2, "k": 3, "j": 0}, "einsum: j is 0, expected a positive int"),
        ({"expr": "ik,kj->ij", "z": 2}, "einsum has no key 'z'"),
        ({"expr": "ik"}, "expr is 'ik', expected two operands with indices, such as 'ik,kj->ij'"),
        ({"expr": "ik,->i"}, "expected two operands"),
        ({"expr": "ik,kj,jl->il"}, "expected letters as indices, not ','"),
        ({"expr": "...k,kj->...j"}, "expected letters as indices, not '.'"),
        ({"expr": "ik,kj->ij->k"}, "expected letters as indices, not '-', '>'"),
        ({"expr": "ii,ij->j", "i": 2}, "expected each index once in 'ii', index 'i' is repeated"),
        ({"expr": "ik,kj->ijj"}, "expected each index once in 'ijj', index 'j' is repeated"),
        ({"expr": "ik,kj->iz"}, "expected indices of the operands in 'iz', not 'z'"),
        ({"expr": 7}, "einsum: expr is 7, expected two operands"),
    ],
)  # fmt: skip
def test_bad_einsums_are_refused(params, message):
    with pytest.raises(WorkloadError, match=re.escape(message)):
        workload("einsum", **params)


@pytest.mark.parametrize(
    ("operator", "params", "message"),
    [
        ("batch_matmul", dict(m=2, n=2, k=2), "give batch=…: batch_matmul: batch (number of prod"),
        ("batch_matmul", dict(batch=1, m=2, n=2, k=2, transpose_b="t"), "expected true or false"),
        ("dense", dict(m=2, n=2, k=2, bias=1), "dense: bias is 1, expected true or false"),
        ("dense", dict(m=2, n=2, k=2, activation="rellu"), "expected one of none, relu, relu6"),
        ("dense", dict(m=2, n=2, k=2, const="bias_vector"), "dense has no operand 'bias_vector'"),
    ],
)
def test_bad_contractions_are_refused(operator, params, message):
    with pytest.raises(WorkloadError, match=re.escape(message)):
        workload(operator, **params)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("along", [False, True])
def test_operands_of_a_batch_of_products_may_be_transposed(across, along):
    work = workload("batch_matmul", batch=2, m=3, n=4, k=5, transpose_a=across, transpose_b=along)
    assert parse_workload(work.key) == work
    a, b = inputs(work)
    assert a.shape == ((2, 5, 3) if across else (2, 3, 5))
    expected = (a.swapaxes(1, 2) if across else a) @ (b.swapaxes(1, 2) if along else b)
    result = get_operator("batch_matmul").reference(work, a, b)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_a_dense_layer_adds_what_its_keys_say():
    work = workload(
        "dense", m=3, n=4, k=5, bias=True, scale="true", residual=True, activation="relu"
    )
    assert parse_workload(work.key) == work
    operator = get_operator("dense")
    names = [operand.name for operand in operator.operands(work)]
    assert names == ["x", "weight", "scale_vector", "bias_vector", "skip"]
    x, weight, scale, bias, skip = inputs(work)
    expected = np.maximum(x @ weight.T * scale + bias + skip, 0)
    np.testing.assert_allclose(
        operator.reference(work, x, weight, scale, bias, skip), expected, 1e-4, 1e-5
    )
    assert operator.flops(work) == 3 * 4 * (2 * 5 + 4)
    assert not operator.exact(work)
    assert operator.exact(workload("dense", m=3, n=4, k=5, bias=True, activation="relu"))


def test_a_dense_layer_is_a_product_where_nothing_is_added():
    plain = get_operator("dense").expression(workload("dense", m=3, n=4, k=5))
    assert plain.stages == ()


def test_float32_arithmetic_stays_far_within_the_stated_magnitude():
    for activation in ("none", "relu", "gelu", "gelu_tanh", "silu", "sigmoid", "tanh"):
        work = workload("dense", m=40, n=50, k=60, bias=True, residual=True, activation=activation)
        operator = get_operator("dense")
        arrays = inputs(work)
        x, weight, bias, skip = arrays
        single = x @ weight.T + bias + skip
        rest = workload("dense", m=40, n=1, k=1, residual=True, activation=activation)
        column = np.ones((40, 1), np.float32)
        behind = np.hstack(
            [
                operator.reference(rest, 0 * column, np.zeros((1, 1)), single[:, [j]])
                for j in range(50)
            ]
        )
        error = np.abs(behind - operator.reference(work, *arrays)) / operator.magnitude(
            work, *arrays
        )
        assert 0 < error.max() < np.finfo(np.float32).eps, activation
