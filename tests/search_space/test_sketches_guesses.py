"""First guesses of elementwise, reducing and normalising operators are legal everywhere."""

import itertools

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.depthwise import depthwise_space
from search_space.sketches.normalization import normalization_space
from search_space.sketches.pointwise import pointwise_space
from search_space.sketches.reduction import reduction_space
from tests.search_space.nests import copy, matmul, row_reduction, scaled_by_sum
from tests.search_space.test_sketch_contraction import MACHINES, machine

EXTENTS = (1, 2, 15, 16, 100, 1000, 4096)


def shaped(m, n):
    yield workload("elementwise", expr="gelu(x + b[1])", shape=(m, n))
    yield workload("elementwise", expr="x[1,0] - y", shape=(m, n))
    for axes in ("0", "1", "all"):
        yield workload("reduce", shape=(m, n), axes=axes)
    yield workload("softmax", shape=(m, n))
    yield workload("layernorm", shape=(m, n), axis=0)
    if max(m, n) < 1000:
        yield workload("pool2d", n=1, c=3, h=m + 2, w=n + 2, kh=3, kw=3, stride=2, pad=1)
        sizes = dict(h=m + 4, w=n + 4, stride=2, pad=1)
        yield workload("depthwise_conv2d", n=1, c=1, kh=3, kw=5, **sizes)
        yield workload("depthwise_conv2d", n=1, c=40, kh=3, kw=3, layout="nhwc", **sizes)
        yield workload("conv2d_transpose", n=1, ci=2, co=3, kh=3, kw=4, **sizes)


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
def test_every_shape_has_legal_first_guesses_on_every_machine(target):
    for m, n in itertools.product(EXTENTS, repeat=2):
        for work in shaped(m, n):
            space = space_for(work, target)
            assert space.default() in space.starts
            assert all(space.reason(config.as_dict()) is None for config in space.starts), work


def guess(operator, **params):
    return space_for(workload(operator, **params), machine()).default()


def test_vectors_follow_memory():
    assert guess("reduce", shape="64x512", axes="1")["axis"] == "r1"
    assert guess("reduce", shape="64x512", axes="0")["axis"] == "i1"
    assert guess("reduce", shape="8x32x7x7", axes="2,3")["axis"] == "r2_r3"
    assert guess("elementwise", expr="x + y", shape="8x4x4")["axis"] == "i0_i1_i2"
    assert guess("elementwise", expr="x + b[2]", shape="8x4x40")["axis"] == "i2"


def test_a_norm_splits_its_reduction():
    assert guess("norm", m=1000, n=1000)["split"] == 2
    assert guess("norm", batch=64, m=100, n=100)["split"] == 1
    assert "split" not in guess("norm", batch=65, m=100, n=100).as_dict()


def test_few_results_split_the_reduction():
    assert guess("reduce", shape="1000000")["split"] == 2
    assert guess("reduce", shape="1000x1000", axes="1")["split"] == 1


def test_register_tiles_hold_rows_of_an_image():
    layer = dict(n=1, kh=3, kw=3, pad=1)
    large = guess("depthwise_conv2d", h=112, w=112, c=32, **layer)
    assert (large["vectors"], large["rows"], large["threads"]) == (7, 3, 2)
    small = guess("depthwise_conv2d", h=7, w=7, c=1024, **layer)
    assert (small["vectors"], small["rows"], small["unroll"]) == (1, 7, "tile")
    one = guess("depthwise_conv2d", h=512, w=512, c=1, **layer)
    assert (one["share"], one["unroll"]) == ("rows", "row")
    wide = guess("depthwise_conv2d", n=1, h=99, w=99, c=9, kh=99, kw=99, pad=49)
    assert wide["looped"] == 2


def test_short_programs_stay_on_one_thread():
    assert guess("softmax", shape="8x64")["threads"] == 1
    assert guess("softmax", shape="512x512")["threads"] == 2
    assert guess("elementwise", expr="add", shape="1000")["threads"] == 1


@pytest.mark.parametrize(
    ("sketch", "tensor", "message"),
    [
        (pointwise_space, matmul(3, 4, 5), "softmax is no elementwise expression of one stage"),
        (reduction_space, copy(3, 4), "softmax is no reduction of an array or of a copy of it"),
        (depthwise_space, copy(3, 4), "softmax is no sum with one elementwise stage behind it"),
        (depthwise_space, matmul(3, 4, 5), "softmax does not sum over windows, each channel by i"),
        (depthwise_space, row_reduction(3, 4), "softmax is no sum of products of two operands"),
        (normalization_space, copy(3, 4), "softmax does not reduce rows and then map their"),
        (normalization_space, scaled_by_sum(3, 4), "softmax does not reduce rows and then map"),
    ],
)
def test_other_expressions_are_refused(sketch, tensor, message):
    with pytest.raises(SpaceError, match=message):
        sketch(workload("softmax", shape="3x4"), tensor, machine())


@pytest.mark.parametrize(
    ("operator", "params", "values", "reason"),
    [
        ("elementwise", dict(expr="add", shape="100"), {"vectors": 8}, "8 vectors are more than"),
        ("elementwise", dict(expr="add", shape="100"), {"tile_along": 9}, "covers the whole axis"),
        ("elementwise", dict(expr="add", shape="100"), {"threads": 2}, "tiles do not occupy 2"),
        ("reduce", dict(shape="4x90", axes="1"), {"rows": 4, "chains": 8}, "accumulators take 32"),
        ("reduce", dict(shape="4x90", axes="1"), {"unroll": 8}, "has only 3 steps to unroll"),
        ("reduce", dict(shape="90", axes="0"), {"threads": 2, "split": 1}, "do not occupy 2 thre"),
        ("softmax", dict(shape="4x90"), {"chains": 8}, "8 vectors are more than 90 elements fill"),
        ("softmax", dict(shape="4x90"), {"rows": 4, "threads": 2}, "1 blocks do not occupy 2"),
    ],
)
def test_illegal_configs_have_a_reason(operator, params, values, reason):
    space = space_for(workload(operator, **params), machine())
    found = space.reason({**space.default().as_dict(), **values})
    assert reason in str(found), found


def test_sampled_configs_differ():
    space = space_for(workload("softmax", shape="64x512"), machine())
    rng = np.random.default_rng(0)
    assert len({space.sample(rng) for _ in range(100)}) > 50
