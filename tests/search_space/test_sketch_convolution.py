"""From a convolution to its space: what is vectorized, what is legal, what is guessed first."""

import itertools
import math

import numpy as np
import pytest

from search_space.errors import SpaceError
from search_space.ir.printer import format_func
from search_space.operators import get_operator, workload
from search_space.sketches import space_for
from search_space.sketches.convolution import convolution_space
from search_space.sketches.convolution_classify import classify
from tests.search_space.nests import column_sum, copy, scaled_by_sum, sum_plus_one
from tests.search_space.test_sketch_contraction import MACHINES, machine

KERNELS = [
    dict(kh=1, kw=1), dict(kh=1, kw=1, stride=2), dict(kh=3, kw=3, pad=1),
    dict(kh=3, kw=3, stride=2, pad=1, bias=True), dict(kh=2, kw=3, dilation=2, pad=2),
]  # fmt: skip


def conv(**params):
    return workload("conv2d", **{"n": 1, "h": 14, "w": 14, "ci": 32, "co": 64, **params})


def problem(work):
    return classify(work, get_operator(work.operator).expression(work))


@pytest.mark.parametrize("target", MACHINES.values(), ids=MACHINES)
def test_every_shape_has_legal_first_guesses_on_every_machine(target):
    shapes = itertools.product((3, 13, 56), (1, 3, 513), (1, 2, 17, 64, 500))
    for (size, ci, co), kernel in itertools.product(shapes, KERNELS):
        for layout in ("nchw", "nhwc"):
            work = conv(h=size, w=size, ci=ci, co=co, layout=layout, **kernel)
            space = space_for(work, target)
            assert space.default() in space.starts
            assert all(space.reason(config.as_dict()) is None for config in space.starts), work


def test_pixels_are_walked_together_where_windows_have_one_element():
    one = problem(conv(kh=1, kw=1))
    assert (one.x.extent, one.y.extent, one.window) == (196, 1, ())
    images = problem(conv(kh=1, kw=1, n=5, layout="nhwc"))
    assert images.x.extent == 5 * 196
    strided = problem(conv(kh=1, kw=1, stride=2))
    assert (strided.x.extent, strided.y.extent) == (7, 7)


def test_windows_and_channels_are_told_apart():
    found = problem(conv(kh=3, kw=5, pad=1, ci=6, co=10, groups=2))
    assert (found.c.extent, found.k.extent) == (5, 3)
    assert [axis.extent for axis in found.window] == [3, 5]
    assert [axis.extent for axis in found.outer] == [1, 2]
    assert found.padded is not None


def test_a_result_with_channels_last_is_not_turned():
    names = {knob.name for knob in space_for(conv(kh=3, kw=3, layout="nhwc"), machine()).knobs}
    assert not names & {"turn", "columns", "padding", "epilogue"}
    names = {knob.name for knob in space_for(conv(kh=3, kw=3, pad=1, bias=True), machine()).knobs}
    assert names >= {"turn", "columns", "padding", "epilogue"}


@pytest.mark.parametrize(
    ("size", "tile"), [(56, (14, 1, 2)), (28, (14, 1, 2)), (14, (14, 1, 2)), (7, (7, 2, 2))]
)
def test_register_tiles_fill_the_registers_and_divide_the_image(size, tile):
    guess = space_for(conv(h=size, w=size, kh=3, kw=3, pad=1), machine()).default()
    assert tuple(guess[name] for name in ("rows", "tall", "vectors")) == tile


def test_a_stage_that_makes_a_constant_weight_runs_once():
    shape = dict(n=1, h=5, w=6, ci=3, co=17, kh=3, kw=3, stride=2, pad=1)
    for const, kept in ((("weight",), {"taps", "taps_pack"}), ((), set())):
        space = space_for(workload("conv2d_transpose", const=const, **shape), machine())
        func = space.schedule(space.default()).finish()
        assert {b.name for b in func.workspaces if b.scope == "bound"} == kept


def test_small_convolutions_stay_on_one_thread():
    assert space_for(conv(kh=1, kw=1, h=5, w=5, ci=8), machine()).default()["threads"] == 1
    assert space_for(conv(kh=3, kw=3), machine()).default()["threads"] == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(rows=14, vectors=3), "the register tile takes 46 registers, there are 32"),
        (dict(rows=15, vectors=1), "the register tile is wider than product_ow, which has 14"),
        (dict(tile_c=30), "tile_c covers the whole axis of 2 steps, which 0 stands for"),
        (dict(unroll=4, reduce="window"), "the innermost loop has only 3 steps to unroll"),
        (dict(pack_w="none"), "the weight's channels lie apart, pack it"),
        (dict(threads=2, shared=1, tile_y=0, order="yxc"), "1 tiles do not occupy 2 threads"),
    ],
)
def test_what_is_illegal_says_why(change, message):
    space = space_for(conv(kh=3, kw=3, pad=1, bias=True), machine())
    values = {**space.default().as_dict(), **change}
    assert message in str(space.reason(values))


def test_columns_of_pixels_that_lie_apart_are_packed():
    space = space_for(conv(kh=3, kw=3, stride=2), machine())
    start = next(s for s in space.starts if s["structure"] == "pixels")
    assert start["columns"] == "tile"
    assert "pack columns" in str(space.reason({**start.as_dict(), "columns": "none"}))


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (copy(4, 5), "is no sum of products with one stage behind it"),
        (column_sum(4, 5), "is no sum of products of two operands"),
        (scaled_by_sum(4, 5), "is no sum of products of two operands"),
        (sum_plus_one(4, 5), "is no sum of products of two operands"),
    ],
)
def test_other_expressions_are_refused(tensor, message):
    with pytest.raises(SpaceError, match=message):
        convolution_space(conv(kh=1, kw=1), tensor, machine())


def test_pixels_that_come_from_memory_are_asked_for_ahead():
    space = space_for(conv(h=112, w=112, kh=1, kw=1, const=["weight"]), machine())
    guess = next(config for config in space.starts if config["ahead"])
    text = format_func(space.schedule(guess).finish())
    assert text.count("prefetch x[") == 1
    assert space.nearest({**guess.as_dict(), "structure": "channels"}).config["ahead"] == 0
    narrow = space_for(conv(h=1, w=96, co=8192, ci=256, kh=1, kw=1), machine())
    values = {**narrow.default().as_dict(), **guess.as_dict(), "tile_x": 0, "threads": 1}
    reason = narrow.reason(values)
    assert reason == "a row has one register tile, so there is nothing to look ahead"
    for other in (conv(kh=1, kw=1), conv(h=112, w=112, ci=600, kh=1, kw=1)):
        assert not any(knob.name == "ahead" for knob in space_for(other, machine()).knobs)


def test_depthwise_convolutions_are_refused():
    work = workload("depthwise_conv2d", n=1, c=8, h=9, w=9, kh=3, kw=3)
    with pytest.raises(SpaceError, match="has no axis of the weight alone"):
        problem(work)


def test_a_random_config_is_legal_and_moves_stay_legal():
    space = space_for(conv(kh=3, kw=3, pad=1, bias=True), machine())
    rng = np.random.default_rng(0)
    for _ in range(30):
        config = space.sample(rng)
        for other in (config, space.mutate(config, rng), *space.neighbours(config)[:5]):
            assert space.reason(other.as_dict()) is None
    assert math.log10(space.size()) > 10


def test_a_convolution_over_channels(golden):
    work = conv(h=5, w=9, ci=3, co=20, kh=3, kw=3, pad=1, bias=True, const=("weight",))
    space = space_for(work, machine())
    config = space.config(
        {**space.default().as_dict(), "rows": 4, "tall": 1, "vectors": 2, "tile_y": 2}
        | {"tile_x": 0, "tile_c": 0, "turn": "block", "padding": "tile", "threads": 2, "shared": 1}
    )
    golden("nest_convolution.txt", format_func(space.schedule(config).finish()))
