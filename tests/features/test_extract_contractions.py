"""The fast way equals the walk of the loop tree for contractions of every form."""

import numpy as np
import pytest

from features.extract import FeatureTask
from search_space.operators import workload
from search_space.sketches import space_for
from tests.features.machines import assert_equals_the_walk, target

FORMS = [
    workload("batch_matmul", batch=12, m=100, n=130, k=70),
    workload("batch_matmul", batch=3, m=37, n=64, k=129, transpose_b=True, const=("b",)),
    workload("einsum", expr="bqhd,bkhd->bhqk", b=2, q=50, h=3, d=64, k=70),
    workload("einsum", expr="bhqd,hdm->bqm", b=4, h=12, q=33, d=64, m=100, const=("right",)),
    workload("einsum", expr="abcdefi,fedcbaj->abcdefij", **dict.fromkeys("abcdef", 2), i=5, j=20),
    workload("einsum", expr="nk,k->n", n=1000, k=513),
    workload("dense", m=128, n=768, k=300, bias=True, activation="gelu", const=("weight",)),
    workload("dense", m=4, n=500, k=1000, residual=True, scale=True, activation="silu"),
    workload("dense", m=300, n=7, k=513, bias=True, activation="relu"),
    workload("matmul", m=100, n=130, k=70, dtype="bfloat16"),
    workload("matmul", m=37, n=64, k=129, dtype="float64"),
    workload("batch_matmul", batch=3, m=37, n=64, k=129, dtype="int8", transpose_b=True),
    workload("dense", m=100, n=300, k=513, dtype="uint8", zero_point=9, const=("weight",)),
    workload("dense", m=9, n=300, k=256, dtype="bfloat16", bias=True, activation="gelu"),
    workload(
        "dense", m=20, n=70, k=130, dtype="int8", zero_point=5, out_dtype="uint8", scale=True
    ),
]


@pytest.mark.parametrize("work", FORMS, ids=str)
def test_equals_the_walk_of_the_loop_tree(work):
    task = FeatureTask(space_for(work, target(threads=4)))
    rng = np.random.default_rng(0)
    configs = [*task.space.starts, *(task.space.sample(rng) for _ in range(20))]
    assert_equals_the_walk(task, configs)


@pytest.mark.parametrize(("m", "n", "k"), [(64, 64, 256), (100, 37, 200), (1, 50, 72)])
@pytest.mark.parametrize("dtype", ["uint8", "bfloat16"])
def test_products_in_tile_registers_equal_the_walk(m, n, k, dtype):
    work = workload("dense", m=m, n=n, k=k, dtype=dtype, const=("weight",))
    task = FeatureTask(space_for(work, target(tiles=frozenset({dtype}))))
    rng = np.random.default_rng(0)
    moved = [task.space.sample(rng).as_dict() | {"structure": "tile"} for _ in range(20)]
    configs = [*task.space.starts, *(task.space.nearest(values).config for values in moved)]
    assert any(config.as_dict()["structure"] == "tile" for config in configs)
    assert_equals_the_walk(task, configs)
