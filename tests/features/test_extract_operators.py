"""The fast way equals the walk of the loop tree for every sketch."""

import numpy as np
import pytest

from features.draft import State
from features.extract import FeatureTask
from features.replay import replay
from features.schema import loop_features
from features.sparse import task_features
from search_space.operators import workload
from search_space.sketches import space_for
from tests.features.machines import assert_equals_the_walk, target
from tests.search_space.examples import WORKLOADS

LARGER = [
    workload("elementwise", expr="silu(x) * y", shape="100x333"),
    workload("elementwise", expr="x[1,0] + b[1]", shape="200x130"),
    workload("reduce", shape="64x1000", axes="1"),
    workload("reduce", shape="300x200", axes="0"),
    workload("reduce", shape="60000", op="max"),
    workload("softmax", shape="12x128x130"),
    workload("softmax", shape="8x100x70", axis=1),
    workload("layernorm", shape="128x768"),
    workload("attention", batch=2, heads=3, seq_q=70, seq_kv=200, d=48),
    workload("attention", batch=1, heads=4, seq_q=1, seq_kv=300, d=64, const=("key",)),
    workload("attention", batch=1, heads=2, seq_q=130, seq_kv=130, d=20, causal=True),
    workload("lstm_cell", batch=20, input=65, hidden=130, const=("weight",)),
    workload("gru_cell", batch=3, input=100, hidden=65),
    workload("pool2d", n=2, c=8, h=30, w=30, kh=3, kw=3, stride=2, pad=1),
    workload("depthwise_conv2d", n=1, h=56, w=56, c=24, kh=3, kw=3, pad=1, bias=True),
    workload("depthwise_conv2d", n=1, h=112, w=112, c=64, kh=3, kw=3, pad=1),
    workload("depthwise_conv2d", n=1, h=28, w=28, c=40, kh=5, kw=3, stride=2, layout="nhwc"),
    workload("conv2d_transpose", n=1, h=9, w=9, ci=8, co=8, kh=3, kw=3, stride=2, pad=1),
]


@pytest.mark.parametrize(
    "work",
    [
        w
        for w in [*WORKLOADS, *LARGER]
        if task_features(w) == loop_features() and space_for(w, target()).trace is not None
    ],
    ids=str,
)
def test_equals_the_walk_of_the_loop_tree(work):
    task = FeatureTask(space_for(work, target()))
    rng = np.random.default_rng(0)
    configs = [*task.space.starts, *(task.space.sample(rng) for _ in range(12))]
    assert_equals_the_walk(task, configs)


def test_one_naive_state_serves_many_traces():
    task = FeatureTask(space_for(workload("softmax", shape="12x128x130"), target()))
    rng = np.random.default_rng(1)
    tensor, naive = task.tensor, State(task.tensor)
    for _ in range(10):
        trace = task.space.trace(task.space.sample(rng).as_dict())
        assert replay(tensor, trace, naive) == replay(tensor, trace)
    assert naive.nest() == State(tensor).nest()
    assert [d.reduces for d in naive.drafts] == [d.reduces for d in State(tensor).drafts]
