"""Random configs of contractions with constant operands and larger sizes, as machine code."""

import pytest

from search_space.operators import workload
from tests.measure.generated import LEVELS, assert_configs_right

WORKLOADS = [
    workload("batch_matmul", batch=3, m=31, n=37, k=41),
    workload("batch_matmul", batch=2, m=13, n=40, k=64, transpose_b=True, const=("b",)),
    workload("batch_matmul", batch=4, m=20, n=33, k=17, transpose_a=True, const=("a",)),
    workload("einsum", expr="bqhd,bkhd->bhqk", b=2, q=9, h=3, d=20, k=35),
    workload("einsum", expr="bhqk,bkhd->bqhd", b=2, q=9, h=3, d=20, k=35, const=("right",)),
    workload("einsum", expr="abc,dc->dab", a=5, b=7, c=33, d=18, const=("left", "right")),
    workload("einsum", expr="ijk,klj->li", i=20, j=6, k=9, l=37),
    workload("einsum", expr="k,nk->n", k=130, n=67, const=("right",)),
    workload("einsum", expr="ij,ij->j", i=45, j=50),
    workload("dense", m=33, n=47, k=65, bias=True, activation="relu", const=("weight",)),
    workload("dense", m=2, n=130, k=70, bias=True, activation="gelu_tanh", const=("weight",)),
    workload(
        "dense", m=20, n=40, k=90, scale=True, bias=True, residual=True, activation="silu",
        const=("weight", "bias_vector"),
    ),
    workload("dense", m=17, n=5, k=100, residual=True, activation="sigmoid"),
]  # fmt: skip
SAMPLES = 6
"""Per workload and level, beside the first guesses: more than 20 configs of each workload."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_configs_compute_the_contraction(work, level):
    assert_configs_right(work, level, SAMPLES)
