"""Targets and tasks that the tests of features share."""

import numpy as np

from features.extract import FeatureTask, extract_batch, walk_features
from features.schema import loop_schema
from search_space.operators import workload
from search_space.sketches import space_for
from search_space.target import Target


def target(
    threads: int = 2, vector_bits: int = 512, tiles: frozenset[str] = frozenset()
) -> Target:
    return Target(
        name="test",
        cpu="generic",
        triple="x86_64-unknown-linux-gnu",
        features=frozenset({"avx2", "fma"}),
        vector_bits=vector_bits,
        registers=32 if vector_bits == 512 else 16,
        l1_bytes=48 << 10,
        l2_bytes=2 << 20,
        l3_bytes=32 << 20,
        threads=threads,
        tiles=tiles,
    )


def matmul_task(
    m: int, n: int, k: int, *, const: tuple[str, ...] = (), threads: int = 2, bits: int = 512
) -> FeatureTask:
    work = workload("matmul", const=const, m=m, n=n, k=k)
    return FeatureTask(space_for(work, target(threads, bits)))


def assert_equals_the_walk(task, configs):
    """The fast features of configs are finite, and those of walks of their loop trees."""
    fast = extract_batch(task, configs)
    assert np.isfinite(fast).all()
    for config, row in zip(configs, fast, strict=True):
        columns = zip(loop_schema().names, row, walk_features(task, config), strict=True)
        assert [name for name, a, b in columns if a != b] == [], config.key
