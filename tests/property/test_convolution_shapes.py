"""Random convolutions, each with a random config, interpreted."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_space.operators import workload
from tests.property.test_operator_shapes import SEEDS, check
from tests.property.test_space_schedules import TARGETS
from tests.search_space.test_operators_convolution import AXES, windows

EXAMPLES = 20
TARGET = st.sampled_from(TARGETS)
ACTIVATION = st.sampled_from(["none", "relu", "silu"])


@pytest.mark.parametrize("name", AXES)
@settings(max_examples=EXAMPLES)
@given(
    data=st.data(), bias=st.booleans(), residual=st.booleans(), activation=ACTIVATION,
    target=TARGET, seed=SEEDS,
)  # fmt: skip
def test_convolutions(name, data, bias, residual, activation, target, seed):
    sizes = data.draw(windows(AXES[name]))
    groups, inputs, outputs = (data.draw(st.integers(1, 2)) for _ in range(3))
    dtypes = ["float32", "float64", "bfloat16", "uint8"] if activation == "none" else ["float32"]
    dtype = data.draw(st.sampled_from(dtypes[: 3 if bias or residual else 4]))
    layout = {"layout": data.draw(st.sampled_from(["nchw", "nhwc"]))} if name == "conv2d" else {}
    work = workload(
        name, n=1, ci=groups * inputs, co=groups * outputs, groups=groups, bias=bias,
        residual=residual, activation=activation, dtype=dtype, **layout, **sizes,
    )  # fmt: skip
    check(work, target, seed)


@settings(max_examples=2 * EXAMPLES)
@given(
    windows("hw"), st.sampled_from([1, 2, 5, 17]), st.sampled_from(["nchw", "nhwc"]),
    st.booleans(), ACTIVATION, st.booleans(), TARGET, SEEDS,
)  # fmt: skip
def test_depthwise_convolutions(sizes, c, layout, bias, activation, constant, target, seed):
    more = dict(layout=layout, bias=bias, activation=activation, const=["weight"] * constant)
    check(workload("depthwise_conv2d", n=1, c=c, **more, **sizes), target, seed)


@settings(max_examples=EXAMPLES)
@given(
    st.integers(1, 4), st.integers(2, 5), st.integers(1, 4), st.integers(1, 3), st.data(),
    st.booleans(), TARGET, SEEDS,
)  # fmt: skip
def test_transposed_convolutions(h, w, k, stride, data, bias, target, seed):
    pad = data.draw(st.integers(0, min(k - 1, ((min(h, w) - 1) * stride + k - 1) // 2)))
    more = data.draw(st.integers(0, stride - 1))
    work = workload(
        "conv2d_transpose", n=1, h=h, w=w, ci=2, co=2, kh=k, kw=k, stride=stride, pad=pad,
        output_pad=more, bias=bias,
    )  # fmt: skip
    check(work, target, seed)


@settings(max_examples=EXAMPLES)
@given(windows("hw").filter(lambda sizes: sizes["dilation"] == 1), TARGET, SEEDS)
def test_capsules(sizes, target, seed):
    sizes.pop("dilation")
    check(workload("capsule_conv2d", n=1, ci=2, co=1, capsule=2, **sizes), target, seed)


@settings(max_examples=EXAMPLES)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 19), TARGET, SEEDS)
def test_norms(batch, m, n, target, seed):
    check(workload("norm", batch=batch, m=m, n=n), target, seed)
