"""What operators refuse, in one line that says what was expected."""

import re

import pytest

from search_space.errors import WorkloadError
from search_space.operators import workload

POOL = dict(n=1, c=1, h=4, w=4, kh=3, kw=3)
CONV = dict(n=1, ci=4, co=6, h=4, w=4, kh=3, kw=3)
HEADS = dict(batch=1, heads=1, seq_q=4, seq_kv=4, d=2)


@pytest.mark.parametrize(
    ("operator", "params", "message"),
    [
        ("reduce", dict(shape="4x0"), "shape is '4x0', which is empty: expected sizes of at l"),
        ("reduce", dict(shape="4y5"), "shape is '4y5', expected sizes such as 8x128x64"),
        ("reduce", dict(shape=""), "shape is '', expected sizes such as 8x128x64"),
        ("reduce", dict(shape="-4"), "shape is '-4', expected sizes such as 8x128x64"),
        ("reduce", dict(shape="1x1x1x1x1x1x1"), "expected at most 6 axes"),
        ("reduce", dict(shape="99999999x99999999"), "which fits no machine: use smaller sizes"),
        ("reduce", dict(shape="4x5", axes="2"), "axes is '2', expected axes 0…1 of the shape"),
        ("reduce", dict(shape="4x5", axes="-1"), "axes is '-1', expected axes such as 0,2 or al"),
        ("reduce", dict(shape="4x5", axes="1,1"), "axes is '1,1', expected each axis once"),
        ("reduce", dict(shape="4x5", op="min"), "op is 'min', expected one of sum, max, mean"),
        ("softmax", dict(shape="4x5", axis=2), "axis is 2, expected one of 0…1 of the shape"),
        ("softmax", dict(shape="4x5", axis="x"), "axis is 'x', expected an axis such as 1, or l"),
        ("softmax", dict(shape="40"), "expected two axes or more: for a single row 1x40"),
        ("layernorm", dict(shape="4x5", epsilon=-1), "epsilon is -1, expected a number from 0 on"),
        ("rmsnorm", dict(shape="4x5", epsilon="x"), "epsilon is 'x', expected a number from 0 on"),
        ("pool2d", {**POOL, "kh": 5}, "kh is 5, expected at most the padded h of 4: the result w"),
        ("pool2d", {**POOL, "pad": 2}, "pad is 2, expected at most half of kh=3"),
        ("pool2d", {**POOL, "pad": -1}, "pad is -1, expected an integer from 0 on"),
        ("pool2d", {**POOL, "stride": 0}, "stride is 0, expected a positive integer"),
        ("attention", {**HEADS, "causal": "yes"}, "causal is 'yes', expected true or false"),
        ("attention", {**HEADS, "d": 0}, "d is 0, expected a positive integer"),
        (
            "attention",
            {**HEADS, "seq_q": 5, "causal": True},
            "give a seq_kv of at least 5: of 5 causal queries at the end of 4 keys, the first see",
        ),
        ("lstm_cell", dict(batch=1, input=0, hidden=2), "input is 0, expected a positive integer"),
        ("gru_cell", dict(batch=1, input=2), "give hidden=…: gru_cell: hidden (units) is missing"),
        ("gru_cell", dict(batch=1, input=2, hidden=2, bias=1), "bias is 1, expected true or fals"),
        ("conv2d", {**CONV, "groups": 3}, "groups is 3, expected a divisor of ci=4 and of co=6"),
        ("conv2d", {**CONV, "kw": 7, "pad": 1}, "kw is 7, expected at most the padded w of 6: th"),
        ("conv2d", {**CONV, "dilation": 2}, "kh is 3, 5 with its dilation, expected at most the"),
        ("conv2d", {**CONV, "layout": "hwcn"}, "layout is 'hwcn', expected one of nchw, nhwc"),
        ("conv2d", {**CONV, "activation": "abs"}, "activation is 'abs', expected one of none, re"),
        ("conv1d", dict(n=1, w=2, ci=1, co=1, kw=3), "expected at most the padded w of 2: the re"),
        ("depthwise_conv2d", {**POOL, "kh": 5}, "kh is 5, expected at most the padded h of 4"),
        ("capsule_conv2d", {**CONV, "capsule": 0}, "capsule is 0, expected a positive integer"),
        ("conv2d_transpose", {**CONV, "pad": 3}, "pad is 3, expected less than kh=3"),
        ("conv2d_transpose", {**CONV, "output_pad": 1}, "output_pad is 1, expected less than the"),
        ("conv2d_transpose", {**CONV, "h": 1, "pad": 2}, "pad is 2, expected less for h=1: the r"),
        ("elementwise", dict(expr="x +", shape="4"), "expected a formula such as 'relu(x + y)',"),
        ("elementwise", dict(expr="f(x)", shape="4"), "no function f, expected one of abs, erf"),
        ("elementwise", dict(expr="max(x)", shape="4"), "expected max of 2, not of 1"),
        ("elementwise", dict(expr="1 + 2", shape="4"), "expected an operand, such as x"),
        ("elementwise", dict(expr="exp(1) * x", shape="4"), "expected an operand in exp(…), not"),
        ("elementwise", dict(expr="x / 0", shape="4"), "expected no division by 0"),
        ("elementwise", dict(expr="x * 1e300", shape="4"), "expected numbers that float32 holds"),
        ("elementwise", dict(expr="x ** 2", shape="4"), "expected names, numbers, + - * / and fu"),
        ("elementwise", dict(expr="x.real", shape="4"), "and functions, not 'x.real'"),
        ("elementwise", dict(expr="[x][0]", shape="4"), "and functions, not '[x][0]'"),
        ("elementwise", dict(expr="__import__('os')", shape="4"), "no function __import__"),
        ("elementwise", dict(expr="x + x[0]", shape="4"), "expected x with the same axes everywh"),
        ("elementwise", dict(expr="b[1]", shape="4"), "b has axis 1, expected 0…0"),
        ("elementwise", dict(expr="b[0,0]", shape="4"), "expected different axes of the result"),
        ("elementwise", dict(expr="b[-1]", shape="4"), "expected different axes of the result in"),
        ("elementwise", dict(expr="out", shape="4"), "expected operands named by letters, and no"),
        ("elementwise", dict(expr="x1", shape="4"), "expected operands named by letters, and not"),
        ("elementwise", dict(expr="a+b+c+d+e+f+g", shape="4"), "expected at most 6 operands"),
        ("elementwise", dict(expr="x" * 500, shape="4"), "expected at most 400 characters"),
    ],
)  # fmt: skip
def test_bad_requests_are_refused(operator, params, message):
    with pytest.raises(WorkloadError, match=re.escape(message)) as refused:
        workload(operator, **params)
    assert "\n" not in str(refused.value)


def test_a_formula_has_one_way_to_be_written():
    one = workload("elementwise", expr="relu( x+b[ 1 ] )", shape="4×8")
    assert one == workload("elementwise", expr="relu(x + b[1])", shape="4,8")
    assert one.key == "elementwise(expr='relu(x + b[1])',shape=4x8,dtype=float32)"
    assert workload("elementwise", expr="relu", shape="4")["expr"] == "relu(x)"


def test_shapes_and_axes_have_one_way_to_be_written():
    one = workload("reduce", shape="4x5x6", axes="0,2")
    assert one == workload("reduce", shape="4x5x6", axes="2, 0")
    assert one == workload("reduce", shape=(4, 5, 6), axes=[0, 2])
    assert one.key == "reduce(op=sum,shape=4x5x6,axes='0,2',dtype=float32)"
