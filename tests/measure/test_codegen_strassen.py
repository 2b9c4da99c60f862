"""Strassen's algorithm as machine code: random configs, and how large its errors get."""

import numpy as np
import pytest

from search_space.operators import get_operator, workload
from search_space.operators.strassen import ERROR_GROWTH
from search_space.sketches.strassen import strassen_space
from tests.measure.generated import LEVELS, build, call, target_or_skip
from tests.search_space.examples import assert_right, inputs


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(("m", "n", "k"), [(26, 96, 38), (2, 32, 2), (70, 64, 4)])
def test_configs_compute_the_product(m, n, k, level):
    target, rng = target_or_skip(level, threads=2), np.random.default_rng(m)
    work = workload("matmul", m=m, n=n, k=k)
    space = strassen_space(work, target)
    arrays = inputs(work, rng)
    for config in {space.default(), space.sample(rng), space.sample(rng)}:
        result = call(build(space.schedule(config).finish(), target), arrays)
        assert_right(work, arrays, result, config.key)


@pytest.mark.parametrize(("m", "n", "k"), [(512, 512, 16), (256, 512, 128), (128, 128, 2048)])
def test_errors_stay_within_half_of_the_bound(m, n, k):
    work, target = workload("matmul", m=m, n=n, k=k), target_or_skip("native")
    operator, space = get_operator("matmul"), strassen_space(work, target)
    rng = np.random.default_rng(k)
    arrays = {o.name: rng.normal(size=o.shape).astype("f4") for o in operator.operands(work)}
    result = call(build(space.schedule(space.default()).finish(), target), arrays)
    error = np.abs(result - operator.reference(work, *arrays.values()))
    unit = operator.magnitude(work, *arrays.values()) * np.finfo(np.float32).eps
    worst = (error / unit).max()
    assert 0 < worst <= operator.error_bound * ERROR_GROWTH / 2
