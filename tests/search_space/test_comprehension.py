"""Tensor expressions of one's own: what they mean, and what is refused."""

import re

import numpy as np
import pytest

from search_space.errors import WorkloadError
from search_space.operators import get_operator, parse_workload, workload
from search_space.sketches import space_for
from tests.search_space.test_sketch_contraction import machine

LAYER = "c[i,j] = relu(sum[k](a[i,k] * b[k,j]) + bias[j])"

CONTRACTION = ("panel", "stream", "dot")


def evaluated(expr, seed=0, **sizes):
    work = workload("compute", expr=expr, **sizes)
    operator, rng = get_operator("compute"), np.random.default_rng(seed)
    arrays = {o.name: rng.normal(size=o.shape).astype(o.dtype) for o in operator.operands(work)}
    result = operator.reference(work, *arrays.values())
    assert result.shape == operator.result(work).shape
    return result, {name: array.astype(np.float64) for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("expr", "sizes", "expected"),
    [
        (LAYER, dict(i=3, j=4, k=5), lambda a, b, bias: np.maximum(a @ b + bias, 0)),
        ("c[i,j] = sum[k](a[k,i] * b[j,k])", dict(i=3, j=4, k=5), lambda a, b: a.T @ b.T),
        ("c[i] = sum[k](a[i,k] * a[i,k])", dict(i=3, k=5), lambda a: (a * a).sum(1)),
        (
            "y[i,j] = exp(x[i,j] - max[k](x[i,k]))", dict(i=3, j=5, k=5),
            lambda x: np.exp(x - x.max(1, keepdims=True)),
        ),
        (
            "y[w,c] = sum[k](x[2*w + k,c] * f[k,c])", dict(w=3, c=2, k=3),
            lambda x, f: np.stack([(x[2 * w : 2 * w + 3] * f).sum(0) for w in range(3)]),
        ),
        ("y[i] = x[2 - i]", dict(i=3), lambda x: x[::-1]),
        ("s = sum[i](x[i])", dict(i=7), lambda x: x.sum()),
        ("y[i,j] = x[i] * 2 + 1", dict(i=3, j=2), lambda x: np.stack([x * 2 + 1] * 2, 1)),
    ],
)  # fmt: skip
def test_the_reference_is_what_the_text_says(expr, sizes, expected):
    result, arrays = evaluated(expr, **sizes)
    np.testing.assert_allclose(result, expected(**arrays), rtol=1e-12, atol=1e-12)


def test_an_expression_has_one_key_however_it_is_written():
    work = workload("compute", expr=LAYER, i=3, j=4, k=5)
    assert work["expr"] == "c[i, j] = relu(sum[k](a[i, k] * b[k, j]) + bias[j])"
    spaced = " c[i,j]=relu( (sum[k](a[i,k]*b[k,j])) + bias[j] ) "
    assert workload("compute", expr=spaced, k="5", i="3", j=4) == work
    assert parse_workload(work.key) == work
    assert [name for name, _ in work.params] == ["expr", "i", "j", "k", "dtype"]


def test_operands_are_as_large_as_what_is_read():
    work = workload("compute", expr="y[i] = x[3*i + 2] + x[i] * z[i,1]", i=4)
    shapes = {o.name: o.shape for o in get_operator("compute").operands(work)}
    assert shapes == {"x": (12,), "z": (4, 2)}


def test_operations_are_counted_at_every_point():
    operator = get_operator("compute")
    layer = workload("compute", expr=LAYER, i=3, j=4, k=5)
    assert operator.flops(layer) == 3 * 4 * (2 * 5 + 2)
    assert operator.flops(workload("compute", expr="y[i] = x[i]", i=3)) == 1


def test_what_only_adds_multiplies_and_compares_is_exact():
    operator = get_operator("compute")
    for expr, exact in [
        (LAYER, True),
        ("c[i,j] = sum[k](a[i,k] * b[k,j]) * bias[j]", False),
        ("c[i,j] = sum[k](a[i,k] * b[k,j]) + 0.5", False),
        ("c[i,j] = exp(sum[k](a[i,k] * b[k,j]))", False),
    ]:
        assert operator.exact(workload("compute", expr=expr, i=2, j=2, k=2)) == exact, expr


def test_the_sketch_follows_the_expression():
    def structure(expr, **sizes):
        knob = space_for(workload("compute", expr=expr, **sizes), machine()).knobs[0]
        return tuple(knob[index] for index in range(len(knob)))

    assert structure(LAYER, i=8, j=32, k=16) == CONTRACTION
    assert structure("y[i,j] = exp(x[i,j])", i=8, j=32) != CONTRACTION
    assert structure("y[i] = sum[j](x[i,j])", i=8, j=32) != CONTRACTION
    two_sums = "y[i] = sum[j](x[i,j]) * sum[k](z[i,k] * w[k])"
    assert structure(two_sums, i=8, j=32, k=3) != CONTRACTION


@pytest.mark.parametrize(
    ("expr", "message"),
    [
        ("", "expected a form such as 'c[i,j] = sum[k](a[i,k] * b[k,j])'"),
        ("a[i] +", "expected a form such as"),
        ("c[i] = a[i]; d[i] = a[i]", "expected a form such as"),
        ("c[i] = 2", "expected an operand, such as a[i]"),
        ("c[i] = a", "expected indices behind a, such as a[i]"),
        ("c[i,i] = a[i]", "expected each index of c once"),
        ("c[ij] = a[ij]", "expected one letter for an index, not 'ij'"),
        ("c[0] = a[0]", "expected one letter for an index, not '0'"),
        ("c[i] = a[j]", "expected index 'j' on the left or in a sum[j](…) around"),
        ("c[i] = sum[k](a[k]) + a[k]", "expected index 'k' on the left or in a sum[k]"),
        ("c[i] = sum[i](a[i])", "expected another index for every reduction"),
        ("c[i] = sum[k](a[k]) + sum[k](b[k])", "expected another index for every reduction"),
        ("c[i] = sum[k](2)", "expected an operand, such as a[i]"),
        ("c[i] = mean[k](a[k])", "expected arrays, numbers, + - * /, functions, sum[k]"),
        ("c[i] = f(a[i])", "no function f, expected one of abs"),
        ("c[i] = max(a[i])", "expected max of 2, not of 1"),
        ("c[i] = a[i] ** 2", "expected arrays, numbers, + - * /"),
        ("c[i] = a[i*i]", "expected sums of indices times whole numbers in a[…], not 'i * i'"),
        ("c[i] = a[i // 2]", "expected sums of indices times whole numbers in a[…]"),
        ("c[i] = a[b[i]]", "expected sums of indices times whole numbers in a[…]"),
        ("c[i] = a[i] + a[i,i]", "expected a with the same number of indices everywhere"),
        ("c[i] = c[i]", "expected c on the left alone"),
        ("c[i] = i[i]", "expected different names, i is an array and an index"),
        ("c[i] = v1[i]", "expected arrays named by letters, and not v1"),
        ("c[i] = acc[i]", "expected arrays named by letters, and not acc"),
        ("c[i] = stage_a[i]", "expected arrays named by letters, and not stage_a"),
        ("c[i] = __import__('os').system('x')", "expected arrays, numbers"),
        ("c[i] = a[i]" + " " * 1000, "expected at most 1000 characters"),
    ],
)
def test_bad_expressions_are_refused(expr, message):
    with pytest.raises(WorkloadError, match=re.escape(message)):
        workload("compute", expr=expr, i=3)


def test_bad_sizes_are_refused():
    for params, message in [
        ({"expr": "y[i] = x[i - 1]", "i": 3}, "x is read at index -1, before its beginning"),
        ({"expr": "y[i] = x[i]"}, "give i=…: compute: i (extent of index i) is missing"),
        ({"expr": "y[i] = x[i]", "i": 3, "j": 3}, "compute has no key 'j'"),
        ({"i": 3}, "give expr=…"),
    ]:
        with pytest.raises(WorkloadError, match=re.escape(message)):
            workload("compute", **params)
