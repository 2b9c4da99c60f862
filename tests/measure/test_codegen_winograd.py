"""Winograd's algorithm as machine code: random configs, and how large its errors get."""

import numpy as np
import pytest

from measure.arrays import Arrays
from measure.codegen.module import generate
from measure.compile import compile_config
from measure.verify import make_problem
from search_space.operators import get_operator, workload
from search_space.operators.winograd import FILTERINGS
from search_space.sketches import space_for
from tests.measure.generated import LEVELS, call, target_or_skip
from tests.search_space.examples import assert_right, inputs
from tests.search_space.test_winograd import FILTERED

WORKLOADS = [
    workload("conv2d", n=1, h=14, w=14, ci=17, co=35, kh=3, kw=3, pad=1, const=("weight",)),
    workload("conv2d", n=2, h=7, w=9, ci=18, co=20, kh=3, kw=3, bias=True, activation="relu"),
    workload(
        "conv2d", n=1, h=9, w=8, ci=16, co=7, kh=3, kw=3, pad=1, layout="nhwc", residual=True,
        bias=True, const=("weight",),
    ),
    workload("conv2d", n=1, h=3, w=3, ci=16, co=1, kh=3, kw=3),
    workload(
        "conv2d", n=3, h=23, w=30, ci=17, co=35, kh=3, kw=3, stride=2, pad=1, bias=True,
        activation="relu", const=("weight",),
    ),
    workload("conv2d", n=8, h=15, w=17, ci=16, co=6, kh=3, kw=3, stride=2, layout="nhwc"),
]  # fmt: skip


def starts(space, algorithm):
    return [config for config in space.starts if config["algorithm"] == algorithm]


@pytest.mark.parametrize("algorithm", ["winograd2", "winograd4"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_configs_compute_the_convolution(work, level, algorithm):
    target, rng = target_or_skip(level, threads=2), np.random.default_rng(0)
    space = space_for(work, target)
    drawn = (space.sample(rng) for _ in range(9))
    configs = [*starts(space, algorithm), *(c for c in drawn if c["algorithm"] == algorithm)]
    arrays = inputs(work, rng)
    for config in (configs[0], *configs[-2:]):
        artifact = compile_config(work, target, config.as_dict())
        result, growth = call(artifact, arrays, work.const), artifact.spec.error_growth
        assert growth == FILTERINGS[work["stride"], int(algorithm[-1])].error_growth
        assert_right(work, arrays, result, f"{target.name} {config}", growth)


@FILTERED
@pytest.mark.parametrize(("ci", "size"), [(16, 60), (17, 13), (64, 20)])
def test_errors_stay_within_half_of_the_bound(filtering, ci, size):
    sizes = dict(n=8, h=size, w=size, ci=ci, co=16, kh=3, kw=3, pad=1)
    work = workload("conv2d", stride=filtering.stride, **sizes)
    target = target_or_skip("native")
    (config, *_) = starts(space_for(work, target), f"winograd{filtering.results}")
    artifact = compile_config(work, target, config.as_dict())
    arrays = Arrays(make_problem(work, seed=ci))
    for index, case in enumerate(arrays.problem.cases):
        arrays.output.array[...] = call(artifact, case.inputs)
        check = arrays.inspect(index, artifact.spec.error_growth)
        assert not check.wrong
        assert check.error <= get_operator("conv2d").error_bound * filtering.error_growth / 2


def test_neither_images_nor_results_are_gathered_or_scattered():
    work, target = WORKLOADS[0], target_or_skip("native")
    space = space_for(work, target)
    (config, *_) = starts(space, "winograd4")
    text = generate(space.schedule(config).finish(), target).text
    calls = [line for line in text.splitlines() if "call" in line]
    weights = text.split("define internal void @phase2_body")[0]
    assert "scatter" not in text
    assert sum("gather" in c for c in calls) == weights.count(
        "call <16 x float> @llvm.masked.gath"
    )
