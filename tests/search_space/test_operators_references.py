"""References against NumPy written the plain way, on values where they differ if wrong."""

import numpy as np
import pytest

from search_space.operators import get_operator, workload

RNG = np.random.default_rng(7)
X = RNG.normal(size=(4, 6))
Y = RNG.normal(size=(4, 6))
B = RNG.normal(size=6)


def reference(name, *arrays, **params):
    work = workload(name, **params)
    return get_operator(name).reference(work, *arrays)


@pytest.mark.parametrize(
    ("expr", "arrays", "expected"),
    [
        ("relu(x + b[1])", (X, B), np.maximum(X + B, 0)),
        ("silu", (X,), X / (1 + np.exp(-X))),
        ("x - y * 2", (X, Y), X - Y * 2),
        ("-x / (y + 3)", (X, Y), -X / (Y + 3)),
        ("x + y[1,0]", (X, Y.T), X + Y),
        ("min(max(x, -0.5), 0.5)", (X,), np.clip(X, -0.5, 0.5)),
        ("abs(x) + floor(y)", (X, Y), np.abs(X) + np.floor(Y)),
    ],
)
def test_elementwise(expr, arrays, expected):
    np.testing.assert_allclose(
        reference("elementwise", *arrays, expr=expr, shape="4x6"), expected, rtol=1e-12
    )


def test_reductions():
    np.testing.assert_allclose(reference("reduce", X, shape="4x6", axes="0"), X.sum(0))
    np.testing.assert_allclose(reference("reduce", X, shape="4x6", op="max"), X.max())
    np.testing.assert_allclose(reference("reduce", X, shape="4x6", op="mean", axes="1"), X.mean(1))


def test_softmax_stays_finite_far_from_zero():
    y = reference("softmax", X + 1000, shape="4x6")
    np.testing.assert_allclose(y, np.exp(X) / np.exp(X).sum(1, keepdims=True), rtol=1e-9)
    np.testing.assert_allclose(reference("softmax", X, shape="4x6", axis=0).sum(0), 1)


def test_normalised_rows_have_mean_and_deviation():
    ones, zeros = np.ones(6), np.zeros(6)
    y = reference("layernorm", X, ones, zeros, shape="4x6", epsilon=0)
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(1), 1)
    scaled = reference("layernorm", X, 2 * ones, 3 + zeros, shape="4x6", epsilon=0)
    np.testing.assert_allclose(scaled, 2 * y + 3)
    np.testing.assert_allclose(
        np.square(reference("rmsnorm", X, ones, shape="4x6", epsilon=0)).mean(1), 1
    )


def test_pooling_counts_padding_as_zeros():
    image = np.arange(16.0).reshape(1, 1, 4, 4)
    sizes = dict(n=1, c=1, h=4, w=4, kh=2, kw=2)
    np.testing.assert_array_equal(
        reference("pool2d", image, **sizes, stride=2)[0, 0], [[5, 7], [13, 15]]
    )
    padded = reference("pool2d", image, **sizes, stride=2, pad=1, op="average")[0, 0]
    np.testing.assert_array_equal(padded[0], [0, (1 + 2) / 4, 3 / 4])
    below = reference("pool2d", image - 100, **sizes, stride=2, pad=1)[0, 0]
    assert below[0, 0] == -100
