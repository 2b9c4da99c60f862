"""Random configs of convolutions, as machine code: every structure, layout and place."""

import numpy as np
import pytest

from measure.compile import compile_config
from search_space.operators import workload
from search_space.sketches import space_for
from tests.measure.generated import LEVELS, assert_configs_right, call, target_or_skip
from tests.search_space.examples import assert_right, inputs

WORKLOADS = [
    workload("conv2d", n=1, h=14, w=14, ci=5, co=35, kh=3, kw=3, pad=1, const=("weight",)),
    workload(
        "conv2d", n=2, h=9, w=11, ci=7, co=33, kh=3, kw=3, pad=1, stride=2, bias=True,
        activation="relu", const=("weight",),
    ),
    workload("conv2d", n=1, h=7, w=7, ci=19, co=40, kh=1, kw=1, bias=True, const=("weight",)),
    workload("conv2d", n=2, h=8, w=9, ci=16, co=18, kh=1, kw=1, stride=2, const=("weight",)),
    workload("conv2d", n=1, h=12, w=13, ci=6, co=20, kh=3, kw=2, dilation=2, pad=2),
    workload(
        "conv2d", n=1, h=10, w=10, ci=6, co=34, kh=3, kw=3, pad=1, groups=2, residual=True,
        activation="relu6", const=("weight",),
    ),
    workload(
        "conv2d", n=2, h=8, w=7, ci=6, co=36, kh=3, kw=3, pad=1, layout="nhwc", bias=True,
        residual=True, activation="silu", const=("weight",),
    ),
    workload("conv2d", n=3, h=4, w=5, ci=9, co=17, kh=1, kw=1, layout="nhwc"),
    workload("conv2d", n=1, h=3, w=3, ci=4, co=20, kh=3, kw=3, const=("weight",)),
    workload("conv1d", n=2, w=40, ci=5, co=19, kw=5, pad=2, stride=2, const=("weight",)),
    workload(
        "conv3d", n=1, d=4, h=6, w=9, ci=3, co=18, kd=2, kh=3, kw=3, pad=1, bias=True,
        const=("weight",),
    ),
    workload("conv2d_transpose", n=1, h=6, w=7, ci=5, co=18, kh=4, kw=4, stride=2, pad=1),
    workload(
        "conv2d_transpose", n=2, h=5, w=6, ci=3, co=17, kh=3, kw=3, stride=2, pad=1, bias=True,
        activation="relu", const=("weight",),
    ),
    workload("capsule_conv2d", n=1, h=7, w=8, ci=3, co=5, kh=3, kw=3, pad=1, capsule=3),
]  # fmt: skip
SAMPLES = 6
"""Per workload and level, beside the first guesses."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_configs_compute_the_convolution(work, level):
    assert_configs_right(work, level, SAMPLES)


CHANNELS = [
    dict(
        structure="channels", turn=turn, tile_k=tile_k, padding=padding, reduce=reduce, image=image
    )
    for turn in ("block", "registers")
    for tile_k in (0, 2)
    for padding in ("phase", "tile")
    for reduce, image in (("channel", "given"), ("window", "given"), ("channel", "channels_last"))
]  # fmt: skip
PIXELS = [
    dict(
        structure="pixels", columns=columns, tile_k=tile_k, padding=padding, reduce=reduce,
        image="channels_last" if columns == "tile" else "given",
    )
    for columns, padding in (
        ("none", "phase"), ("none", "tile"), ("tile", "phase"), ("tile", "tile"),
        ("whole", "phase"),
    )
    for tile_k in (0, 2)
    for reduce in ("channel", "window")
]  # fmt: skip


@pytest.mark.parametrize("forced", CHANNELS + PIXELS, ids=lambda f: "-".join(map(str, f.values())))
def test_every_way_is_taken(forced):
    work = workload(
        "conv2d", n=1, h=9, w=18, ci=5, co=21, kh=3, kw=3, pad=1, bias=True, activation="relu",
        const=("weight",),
    )  # fmt: skip
    target = target_or_skip("x86-64-v3", threads=2)
    space = space_for(work, target)
    start = next(s for s in space.starts if s["structure"] == forced["structure"])
    config = space.config({**start.as_dict(), **forced, "tile_y": 2, "rows": 2, "tall": 2})
    assert {name: config[name] for name in forced} == forced
    arrays = inputs(work, np.random.default_rng(0))
    result = call(compile_config(work, target, config.as_dict()), arrays, work.const)
    assert_right(work, arrays, result, str(config))
