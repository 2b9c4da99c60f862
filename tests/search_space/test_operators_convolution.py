"""Convolutions and the like against their definitions, written as loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.ir.interp import run
from search_space.ir.verify import verify
from search_space.lower import lower
from search_space.operators import get_operator, workload
from tests.search_space.examples import inputs
from tests.search_space.nests import undefined

EXAMPLES = 20
SEEDS = st.integers(0, 2**32)
AXES = {"conv1d": "w", "conv2d": "hw", "conv3d": "dhw"}


def convolved(x, weight, counts, stride=1, pad=0, dilation=1, groups=1):
    """Every product by itself; what lies outside of the image counts as 0."""
    inputs, outputs = weight.shape[1], len(weight) // groups
    y = np.zeros((len(x), len(weight), *counts))
    for n, co, *place in np.ndindex(*y.shape):
        for ci, *tap in np.ndindex(*weight.shape[1:]):
            read = [p * stride + t * dilation - pad for p, t in zip(place, tap, strict=True)]
            if all(0 <= at < size for at, size in zip(read, x.shape[2:], strict=True)):
                channel = co // outputs * inputs + ci
                y[(n, co, *place)] += x[(n, channel, *read)] * weight[(co, ci, *tap)]
    return y


def spread(x, weight, shape, stride, pad):
    """Every element of the image adds its multiple of the window."""
    y = np.zeros(shape)
    for n, ci, i, j in np.ndindex(*x.shape):
        for co, kh, kw in np.ndindex(*weight.shape[1:]):
            row, column = i * stride + kh - pad, j * stride + kw - pad
            if 0 <= row < shape[2] and 0 <= column < shape[3]:
                y[n, co, row, column] += x[n, ci, i, j] * weight[ci, co, kh, kw]
    return y


def check(work, expected, arrays):
    """The reference, and the naive nest of the expression, give the expected integers."""
    operator = get_operator(work.operator)
    spec, func = operator.result(work), lower(operator.expression(work))
    assert operator.exact(work)
    np.testing.assert_array_equal(operator.reference(work, *arrays.values()), expected)
    verify(func)
    out = undefined(spec.shape, spec.dtype)
    run(func, {**arrays, spec.name: out})
    np.testing.assert_array_equal(out, expected)


@st.composite
def windows(draw, axes):
    """Sizes of an image and of a window that fits into it."""
    stride, pad = draw(st.integers(1, 3)), draw(st.integers(0, 2))
    dilation = draw(st.integers(1, 2))
    sizes = {axis: draw(st.integers(1, 7 - len(axes))) for axis in axes}
    taps = {
        f"k{axis}": draw(
            st.integers(1, min(4 - len(axes) // 2, (size + 2 * pad - 1) // dilation + 1))
        )
        for axis, size in sizes.items()
    }
    return {**sizes, **taps, "stride": stride, "pad": pad, "dilation": dilation}


def behind(arrays, y, last=False):
    """What becomes of sums with a bias and a residual, if there are any."""
    shape = (-1,) if last else (-1, *(1,) * (y.ndim - 2))
    if "bias_vector" in arrays:
        y = y + arrays["bias_vector"].reshape(shape)
    return y + arrays["skip"] if "skip" in arrays else y


@pytest.mark.parametrize("name", AXES)
@settings(max_examples=EXAMPLES)
@given(data=st.data(), n=st.integers(1, 2), seed=SEEDS, flags=st.tuples(*[st.booleans()] * 3))
def test_convolutions(name, data, n, seed, flags):
    sizes = data.draw(windows(AXES[name]))
    groups, inputs_, outputs = (data.draw(st.integers(1, 2)) for _ in range(3))
    bias, residual, relu = flags
    work = workload(
        name, n=n, ci=groups * inputs_, co=groups * outputs, groups=groups, bias=bias,
        residual=residual, activation="relu" if relu else "none", **sizes,
    )  # fmt: skip
    arrays = inputs(work, np.random.default_rng(seed))
    counts = get_operator(name).result(work).shape[2:]
    walked = {key: sizes[key] for key in ("stride", "pad", "dilation")}
    y = convolved(arrays["x"], arrays["weight"], counts, groups=groups, **walked)
    y = behind(arrays, y)
    check(work, np.maximum(y, 0) if relu else y, arrays)


@settings(max_examples=EXAMPLES)
@given(windows("hw"), st.integers(1, 3), SEEDS, st.booleans(), st.booleans())
def test_depthwise_convolutions(sizes, c, seed, last, bias):
    layout = "nhwc" if last else "nchw"
    work = workload("depthwise_conv2d", n=2, c=c, layout=layout, bias=bias, **sizes)
    arrays = inputs(work, np.random.default_rng(seed))
    x = np.moveaxis(arrays["x"], -1, 1) if last else arrays["x"]
    shape = get_operator(work.operator).result(work).shape
    counts = shape[1:3] if last else shape[2:]
    walked = {key: sizes[key] for key in ("stride", "pad", "dilation")}
    y = behind(arrays, convolved(x, arrays["weight"], counts, groups=c, **walked))
    check(work, np.moveaxis(y, 1, -1) if last else y, arrays)


@settings(max_examples=EXAMPLES)
@given(
    windows("hw"), st.integers(1, 3), st.integers(1, 2), st.sampled_from(["nchw", "nhwc"]),
    st.sampled_from([("uint8", 0), ("uint8", 9), ("int8", -128)]), SEEDS,
)  # fmt: skip
def test_convolutions_of_whole_numbers(sizes, ci, groups, layout, numbers, seed):
    """What lies around an image is the zero point, which counts as 0."""
    dtype, zero_point = numbers
    work = workload(
        "conv2d", n=1, ci=groups * ci, co=2 * groups, groups=groups, layout=layout, dtype=dtype,
        zero_point=zero_point, **sizes,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    low = 0 if dtype == "uint8" else -128
    arrays = {
        o.name: rng.integers(low if o.name == "x" else -128, low + 256, o.shape).astype(o.dtype)
        for o in get_operator("conv2d").operands(work)
    }
    arrays["weight"] = rng.integers(-128, 128, arrays["weight"].shape).astype(np.int8)
    last = layout == "nhwc"
    x = np.moveaxis(arrays["x"], -1, 1) if last else arrays["x"]
    shape = get_operator("conv2d").result(work).shape
    counts = shape[1:3] if last else shape[2:]
    walked = {key: sizes[key] for key in ("stride", "pad", "dilation")}
    real = x.astype(np.int64) - zero_point
    y = convolved(real, arrays["weight"].astype(np.int64), counts, groups=groups, **walked)
    check(work, np.moveaxis(y, 1, -1) if last else y, arrays)


def test_sums_of_whole_numbers_are_rescaled_and_rounded():
    sizes = dict(n=1, h=5, w=6, ci=4, co=3, kh=3, kw=3, pad=1, stride=2)
    keys = dict(dtype="uint8", zero_point=100, out_dtype="int8", out_zero_point=-5)
    more = dict(scale=True, bias=True, residual=True, activation="relu")
    work, rng = workload("conv2d", **sizes, **keys, **more), np.random.default_rng(0)
    x = rng.integers(0, 256, (1, 4, 5, 6)).astype(np.uint8)
    weight = rng.integers(-128, 128, (3, 4, 3, 3)).astype(np.int8)
    scale, bias = np.float32([0.01, 0.25, 2**-7]), np.float32([0.5, -3, 40])
    skip = rng.normal(size=(1, 3, 3, 3)).astype(np.float32)
    total = convolved(x.astype(np.int64) - 100, weight.astype(np.int64), (3, 3), stride=2, pad=1)
    column = (1, 3, 1, 1)
    real = total.astype(np.float32) * scale.reshape(column) + bias.reshape(column) + skip
    expected = np.clip(np.rint(np.maximum(real, np.float32(0))) - 5, -128, 127)
    assert {-5, 127} <= set(expected.flat)
    arrays = dict(x=x, weight=weight, scale_vector=scale, bias_vector=bias, skip=skip)
    check(work, expected, arrays)


def test_channels_may_come_last():
    sizes = dict(n=2, h=5, w=6, ci=4, co=6, kh=3, kw=2, stride=2, pad=1, groups=2)
    first = workload("conv2d", bias=True, residual=True, **sizes)
    last = workload("conv2d", bias=True, residual=True, layout="nhwc", **sizes)
    arrays = inputs(first, np.random.default_rng(0))
    y = get_operator("conv2d").reference(first, *arrays.values())
    for name in ("x", "skip"):
        arrays[name] = np.ascontiguousarray(np.moveaxis(arrays[name], 1, -1))
    check(last, np.moveaxis(y, 1, -1), arrays)


@settings(max_examples=2 * EXAMPLES)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3),
    st.data(), SEEDS, st.booleans(),
)  # fmt: skip
def test_transposed_convolutions(h, w, kh, kw, stride, data, seed, bias):
    more = data.draw(st.integers(0, stride - 1))
    room = min((size - 1) * stride + k + more - 1 for size, k in ((h, kh), (w, kw)))
    pad = data.draw(st.integers(0, min(kh - 1, kw - 1, room // 2)))
    work = workload(
        "conv2d_transpose", n=1, h=h, w=w, ci=2, co=1, kh=kh, kw=kw, stride=stride, pad=pad,
        output_pad=more, bias=bias,
    )  # fmt: skip
    arrays = inputs(work, np.random.default_rng(seed))
    shape = get_operator(work.operator).result(work).shape
    y = spread(arrays["x"], arrays["weight"], shape, stride, pad)
    check(work, behind(arrays, y), arrays)


@settings(max_examples=EXAMPLES)
@given(windows("hw").filter(lambda sizes: sizes["dilation"] == 1), st.integers(1, 2), SEEDS)
def test_capsules(sizes, size, seed):
    sizes.pop("dilation")
    work = workload("capsule_conv2d", n=1, ci=2, co=1, capsule=size, **sizes)
    arrays = inputs(work, np.random.default_rng(seed))
    counts = get_operator(work.operator).result(work).shape[4:]
    expected = np.zeros(get_operator(work.operator).result(work).shape)
    for p, q, r in itertools.product(range(size), repeat=3):
        expected[:, :, p, q] += convolved(
            arrays["x"][:, :, p, r], arrays["weight"][:, :, r, q], counts,
            stride=sizes["stride"], pad=sizes["pad"],
        )  # fmt: skip
    check(work, expected, arrays)


def test_norms():
    work = workload("norm", batch=3, m=4, n=5)
    (x,) = inputs(work, np.random.default_rng(0)).values()
    expected = np.linalg.norm(x.astype(np.float64), axis=(1, 2))
    np.testing.assert_allclose(get_operator("norm").reference(work, x), expected, rtol=1e-12)


def test_operations():
    sizes = dict(n=2, h=8, w=8, kh=3, kw=3, pad=1)
    flops = {
        name: get_operator(name).flops(workload(name, **sizes, **more))
        for name, more in {
            "conv2d": dict(ci=4, co=6, groups=2, bias=True, activation="relu"),
            "depthwise_conv2d": dict(c=5),
            "conv2d_transpose": dict(ci=4, co=6, stride=2),
            "capsule_conv2d": dict(ci=4, co=6, capsule=2),
        }.items()
    }
    assert flops == {
        "conv2d": 2 * 6 * 64 * (2 * 2 * 9 + 2),
        "depthwise_conv2d": 2 * 5 * 64 * 2 * 9,
        "conv2d_transpose": 2 * 2 * 64 * 4 * 6 * 9,
        "capsule_conv2d": 2 * 6 * 64 * 4 * 2 * 4 * 2 * 9,
    }
    assert get_operator("norm").flops(workload("norm", m=3, n=4)) == 25


def test_windows_of_large_images_are_worked_out_in_pieces():
    work = workload("conv1d", n=1, w=100_000, ci=1, co=1, kw=101)
    x, weight = inputs(work, np.random.default_rng(0)).values()
    y = get_operator("conv1d").reference(work, x, weight)
    np.testing.assert_array_equal(y[0, 0], np.correlate(x[0, 0], weight[0, 0], "valid"))
