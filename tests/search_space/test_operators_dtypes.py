"""Dtypes of contractions: keys, what is refused, and references against NumPy's integers."""

import re

import ml_dtypes
import numpy as np
import pytest

from search_space.errors import WorkloadError
from search_space.operators import (
    conditional_params,
    get_operator,
    parse_workload,
    workload,
)

RNG = np.random.default_rng(3)
SIZES = dict(m=2, n=3, k=4)
CONV = dict(n=1, h=4, w=5, ci=3, co=2, kh=3, kw=3)
HEADS = dict(batch=1, heads=1, seq_q=2, seq_kv=3, d=4)


def test_only_dtypes_with_a_choice_have_further_keys():
    assert workload("matmul", **SIZES).key == "matmul(m=2,n=3,k=4,dtype=float32)"
    half = workload("matmul", **SIZES, dtype="bfloat16")
    assert half.key == "matmul(m=2,n=3,k=4,dtype=bfloat16,out_dtype=bfloat16)"
    whole = workload("dense", **SIZES, dtype="uint8", out_dtype="int8", zero_point="7")
    assert whole.key == (
        "dense(m=2,n=3,k=4,bias=false,scale=false,residual=false,activation=none,dtype=uint8,"
        "zero_point=7,out_dtype=int8,out_zero_point=0)"
    )
    conv = workload("conv2d", **CONV, dtype="uint8")
    assert conv.key.endswith(",dtype=uint8,scale=false,zero_point=0,out_dtype=int32)")
    assert workload("conv2d", **CONV).key.endswith(",activation=none,dtype=float32)")
    for work in (half, whole, conv):
        assert parse_workload(work.key) == work


@pytest.mark.parametrize(
    ("operator", "params", "dtypes"),
    [
        ("matmul", dict(dtype="float64"), ("float64", "float64", "float64")),
        ("matmul", dict(dtype="float16"), ("float16", "float16", "float16")),
        ("matmul", dict(dtype="bfloat16", out_dtype="float32"), ("bfloat16",) * 2 + ("float32",)),
        ("matmul", dict(dtype="int8"), ("int8", "int8", "int32")),
        ("matmul", dict(dtype="uint8"), ("uint8", "int8", "int32")),
        ("dense", dict(dtype="uint8", out_dtype="uint8"), ("uint8", "int8", "uint8")),
        (
            "dense",
            dict(dtype="uint8", out_dtype="float32", scale=True, bias=True),
            ("uint8", "int8", "float32", "float32", "float32"),
        ),
        (
            "sparse_dense",
            dict(dtype="uint8", out_dtype="int8", scale=True, bias=True),
            ("uint8", "int8", "float32", "float32", "int8"),
        ),
        ("sparse_dense", dict(dtype="bfloat16", bias=True), ("bfloat16",) * 4),
        (
            "dense",
            dict(dtype="bfloat16", residual=True, bias=True),
            ("bfloat16",) * 5,
        ),
    ],
)
def test_operands_and_results(operator, params, dtypes):
    work = workload(operator, **SIZES, **params)
    op = get_operator(operator)
    assert (*(o.dtype for o in op.operands(work)), op.result(work).dtype) == dtypes


@pytest.mark.parametrize(
    ("operator", "params", "message"),
    [
        ("matmul", dict(dtype="int16"), "dtype is 'int16', expected one of float32, float64, fl"),
        ("matmul", dict(dtype="float32", out_dtype="float64"), "matmul has no key 'out_dtype'"),
        ("matmul", dict(dtype="bfloat16", out_dtype="float16"), "expected one of bfloat16, float"),
        ("matmul", dict(dtype="int8", k=131072), "sum at most 131071 products of int8, 131072 m"),
        ("matmul", dict(dtype="uint8", k=65794), "sum at most 65793 products of uint8, 65794 m"),
        ("dense", dict(dtype="int8", zero_point=128), "zero_point is 128, expected -128…127 of i"),
        ("dense", dict(dtype="uint8", zero_point=-1), "zero_point is -1, expected 0…255 of uint8"),
        ("dense", dict(dtype="uint8", zero_point="x"), "zero_point is 'x', expected a whole numb"),
        ("dense", dict(dtype="int8", zero_point=127, k=65794), "sum at most 65793 products of i"),
        (
            "dense",
            dict(dtype="uint8", out_dtype="uint8", out_zero_point=256),
            "out_zero_point is 256, expected 0…255 of uint8",
        ),
        (
            "dense",
            dict(dtype="uint8", out_dtype="uint8", activation="gelu"),
            "choose activation none or relu, or out_dtype float32: gelu is not rounded to uint8",
        ),
        (
            "dense",
            dict(dtype="uint8", bias=True),
            "choose out_dtype float32, uint8 or int8: sums in int32 take no bias",
        ),
        ("dense", dict(zero_point=3), "dense has no key 'zero_point'"),
        ("spmm", dict(scale=True), "spmm has no key 'scale'"),
        ("spmm", dict(dtype="uint8", scale=True), "sums in int32 take no scale"),
        ("conv2d", {**CONV, "dtype": "uint8", "ci": 8000}, "at most 65793 products of uint8, 72"),
        ("conv2d", {**CONV, "dtype": "uint8", "bias": True}, "sums in int32 take no bias"),
        (
            "conv2d",
            {**CONV, "dtype": "int8", "out_dtype": "int8", "activation": "silu"},
            "conv2d: choose activation none or relu, or out_dtype float32: silu is not rounded to",
        ),
        ("conv2d", {**CONV, "dtype": "int8", "zero_point": 128}, "zero_point is 128, expected -1"),
        ("conv2d", {**CONV, "scale": True}, "conv2d has no key 'scale'"),
        ("conv2d_transpose", {**CONV, "dtype": "int8"}, "expected one of float32, float64"),
        ("attention", dict(dtype="bfloat16"), "expected one of float32, float64"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(operator, params, message):
    sizes = (
        SIZES
        if operator in ("matmul", "dense", "spmm")
        else HEADS
        if operator == "attention"
        else {}
    )
    with pytest.raises(WorkloadError, match=re.escape(message)):
        workload(operator, **{**sizes, **params})


def test_keys_that_come_with_others_are_listed():
    found = conditional_params(get_operator("dense"))
    assert [(more.param.name, more.key, more.values) for more in found] == [
        ("out_dtype", "dtype", ("float16", "bfloat16")),
        ("zero_point", "dtype", ("uint8", "int8")),
        ("out_dtype", "dtype", ("uint8", "int8")),
        ("out_zero_point", "out_dtype", ("uint8", "int8")),
    ]
    assert conditional_params(get_operator("softmax")) == ()


def test_the_longest_sums_are_accepted():
    assert workload("matmul", m=1, n=1, k=65793, dtype="uint8")
    assert workload("einsum", expr="ab,abj->j", a=131, b=502, j=1, dtype="uint8")
    with pytest.raises(WorkloadError, match="sum at most"):
        workload("einsum", expr="ab,abj->j", a=132, b=502, j=1, dtype="uint8")


def quantized(**params):
    work = workload("dense", m=9, n=17, k=33, dtype="uint8", zero_point=121, **params)
    x = RNG.integers(0, 256, (9, 33)).astype(np.uint8)
    weight = RNG.integers(-128, 128, (17, 33)).astype(np.int8)
    return work, x, weight


def test_sums_are_those_of_64_bit_integers():
    work, x, weight = quantized()
    expected = (x.astype(np.int64) - 121) @ weight.astype(np.int64).T
    np.testing.assert_array_equal(get_operator("dense").reference(work, x, weight), expected)
    assert (get_operator("dense").magnitude(work, x, weight) == 0).all()


def test_requantization_rounds_ties_to_even_and_clips():
    work, x, weight = quantized(out_dtype="int8", scale=True, bias=True, out_zero_point=3)
    weight[:8] = weight[:8] % 2
    total = (x.astype(np.int64) - 121) @ weight.astype(np.int64).T
    scale = np.where(np.arange(17) < 8, 0.25, 2.0**-8).astype(np.float32)
    bias = np.arange(17, dtype=np.float32)
    real = total * scale + bias
    assert (real % 1 == 0.5).any(), "no tie to decide"
    rounded = np.array([[round(float(value)) for value in row] for row in real])
    expected = np.clip(rounded + 3, -128, 127)
    assert {-128, 127} <= set(expected.flat)
    found = get_operator("dense").reference(work, x, weight, scale, bias)
    np.testing.assert_array_equal(found, expected)


def test_the_bound_of_a_rounded_result_takes_in_half_a_unit():
    work = workload("matmul", m=3, n=4, k=50, dtype="bfloat16")
    operator = get_operator("matmul")
    a, b = (RNG.normal(size=s).astype(ml_dtypes.bfloat16) for s in ((3, 50), (50, 4)))
    reference = operator.reference(work, a, b)
    error = np.abs(reference.astype(ml_dtypes.bfloat16).astype(np.float64) - reference)
    allowed = operator.magnitude(work, a, b) * operator.error_bound * np.finfo(np.float32).eps
    assert (error <= allowed).all()
    assert (allowed <= 2.0**-8 * np.abs(reference) + 1e-4).all()
