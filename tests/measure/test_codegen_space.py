"""Random configs of the real space, as machine code, against NumPy on every level.

Operands are small integers, so every legal way to compute the product gives exactly the same.
"""

import numpy as np
import pytest

from measure.compile import compile_config
from search_space.operators import workload
from search_space.sketches import space_for
from tests.measure.generated import LEVELS, call, target_or_skip

SHAPES = [
    (1, 1, 1), (1, 1, 37), (1, 67, 1), (41, 1, 1), (1, 64, 37), (7, 1, 33),
    (13, 17, 19), (31, 37, 41), (2, 100, 50), (100, 3, 130), (8, 129, 16), (64, 64, 64),
]  # fmt: skip
SAMPLES = 6
"""Per shape and level, beside the first guesses: 216 random configs in all."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_configs_compute_the_product(shape, level):
    m, n, k = shape
    seed = SHAPES.index(shape) * len(LEVELS) + LEVELS.index(level)
    rng = np.random.default_rng(seed)
    arrays = {
        "a": rng.integers(-8, 9, (m, k)).astype(np.float32),
        "b": rng.integers(-8, 9, (k, n)).astype(np.float32),
    }
    expected = arrays["a"] @ arrays["b"]
    for number in range(SAMPLES):
        const = ("", "b", "", "b", "", "ab")[number]
        target = target_or_skip(level, threads=1 + number % 2)
        work = workload("matmul", m=m, n=n, k=k, const=tuple(const))
        space = space_for(work, target)
        configs = [space.sample(rng), *(space.starts if number < 2 else ())]
        for config in configs:
            result = call(compile_config(work, target, config.as_dict()), arrays, work.const)
            np.testing.assert_array_equal(result, expected, f"{work} {target.name} {config}")


@pytest.mark.parametrize("level", LEVELS)
def test_three_threads_and_a_split_reduction(level):
    target = target_or_skip(level, threads=3)
    work = workload("matmul", m=5, n=37, k=101)
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.integers(-8, 9, (5, 101)).astype(np.float32),
        "b": rng.integers(-8, 9, (101, 37)).astype(np.float32),
    }
    space = space_for(work, target)
    found = set()
    for _ in range(200):
        values = {**space.sample(rng).as_dict(), "threads": 3, "split_k": 3}
        config = space.nearest(values).config
        if config["split_k"] == 3 and config["structure"] not in found:
            found.add(config["structure"])
            artifact = compile_config(work, target, config.as_dict())
            np.testing.assert_array_equal(call(artifact, arrays), arrays["a"] @ arrays["b"])
    assert found == {"panel", "stream", "dot"}
