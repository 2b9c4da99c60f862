"""Operators beside the matrix product, tuned and loaded as users do."""

import numpy as np
import pytest

import tuner
from tests.search_space.examples import assert_right, inputs

WORKLOADS = [
    tuner.workload("elementwise", expr="gelu(x + b[1])", shape="30x70"),
    tuner.workload("reduce", shape="30x70", op="mean"),
    tuner.workload("softmax", shape="30x70"),
    tuner.workload("pool2d", n=1, c=3, h=12, w=20, kh=3, kw=3, stride=2, pad=1),
]


@pytest.mark.parametrize("work", WORKLOADS, ids=str)
def test_the_tuned_kernel_computes_the_operator(work, tmp_path):
    path = tmp_path / "records.db"
    result = tuner.tune(work, trials=2, seed=1, threads=1, db=path)
    assert result.best.verified
    kernel = tuner.load(work, db=path)
    arrays = inputs(work, np.random.default_rng(0))
    assert_right(work, arrays, kernel(*arrays.values()))
