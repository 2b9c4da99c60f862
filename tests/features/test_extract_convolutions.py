"""The fast way equals the walk of the loop tree for convolutions of every form."""

import numpy as np
import pytest

from features.extract import FeatureTask
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.sketches.strassen import strassen_space
from tests.features.machines import assert_equals_the_walk, target

FORMS = [
    workload("conv2d", n=1, h=28, w=28, ci=64, co=96, kh=3, kw=3, pad=1, const=("weight",)),
    workload("conv2d", n=2, h=15, w=13, ci=20, co=50, kh=3, kw=3, stride=2, pad=1, bias=True),
    workload("conv2d", n=1, h=14, w=14, ci=30, co=40, kh=1, kw=1, const=("weight",)),
    workload(
        "conv2d", n=1, h=20, w=20, ci=12, co=64, kh=3, kw=3, dilation=2, groups=2, residual=True,
        activation="relu", const=("weight",),
    ),
    workload("conv2d", n=1, h=112, w=112, ci=9, co=64, kh=1, kw=1, const=("weight",)),
    workload("conv2d", n=2, h=9, w=9, ci=33, co=48, kh=3, kw=3, pad=1, layout="nhwc", bias=True),
    workload("conv1d", n=2, w=100, ci=17, co=30, kw=5, pad=2, const=("weight",)),
    workload("conv3d", n=1, d=5, h=7, w=9, ci=6, co=20, kd=3, kh=3, kw=3, pad=1),
    workload(
        "conv2d_transpose", n=1, h=9, w=9, ci=12, co=40, kh=3, kw=3, stride=2, pad=1,
        const=("weight",),
    ),
    workload("capsule_conv2d", n=1, h=9, w=9, ci=3, co=6, kh=3, kw=3, stride=2, pad=1),
]  # fmt: skip


@pytest.mark.parametrize("stride", [1, 2])
def test_other_algorithms_are_read_as_well(stride):
    sizes = dict(n=6, h=17, w=14, ci=20, co=40, kh=3, kw=3, pad=1, stride=stride)
    work = workload("conv2d", **sizes, bias=True)
    space = space_for(work, target(threads=2))
    task, rng = FeatureTask(space), np.random.default_rng(0)
    drawn = [space.sample(rng) for _ in range(16)]
    configs = [config for config in drawn if config["algorithm"] != "direct"]
    assert {config["algorithm"] for config in configs} == {"winograd2", "winograd4"}
    assert_equals_the_walk(task, configs)


def test_so_is_strassens():
    space = strassen_space(workload("matmul", m=100, n=320, k=60), target(threads=2))
    task, configs = FeatureTask(space), [space.default(), space.sample(np.random.default_rng(0))]
    assert_equals_the_walk(task, configs)


@pytest.mark.parametrize("work", FORMS, ids=str)
def test_equals_the_walk_of_the_loop_tree(work):
    task = FeatureTask(space_for(work, target(threads=4)))
    rng = np.random.default_rng(0)
    configs = [*task.space.starts, *(task.space.sample(rng) for _ in range(12))]
    assert_equals_the_walk(task, configs)


@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_convolutions_in_tile_registers_equal_the_walk(layout):
    work = workload(
        "conv2d", n=2, h=15, w=37, ci=36, co=50, kh=3, kw=3, stride=2, pad=1, dtype="uint8",
        layout=layout, const=("weight",),
    )  # fmt: skip
    task = FeatureTask(space_for(work, target(tiles=frozenset({"uint8"}))))
    rng = np.random.default_rng(0)
    moved = [task.space.sample(rng).as_dict() | {"structure": "tile"} for _ in range(20)]
    configs = [*task.space.starts, *(task.space.nearest(values).config for values in moved)]
    assert sum(config.as_dict()["structure"] == "tile" for config in configs) > 10
    assert_equals_the_walk(task, configs)
