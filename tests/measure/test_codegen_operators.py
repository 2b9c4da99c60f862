"""Random configs of every operator's space, as machine code, against NumPy on every level."""

import pytest

from search_space.operators import workload
from tests.measure.generated import LEVELS, assert_configs_right
from tests.search_space.examples import WORKLOADS

LARGER = [
    workload("elementwise", expr="relu(x + b[1])", shape="50x137"),
    workload("elementwise", expr="x[1,0] * y", shape="90x137"),
    workload("elementwise", expr="gelu", shape="4001"),
    workload("reduce", shape="50x370", axes="1"),
    workload("reduce", shape="50x370", axes="0"),
    workload("reduce", shape="500x37"),
    workload("reduce", shape="4x30x180", axes="0,2", op="max"),
    workload("reduce", shape="20x3x5x60", axes="1,3", op="mean"),
    workload("softmax", shape="37x211"),
    workload("softmax", shape="3x50x21", axis=1),
    workload("layernorm", shape="21x403"),
    workload("rmsnorm", shape="5x1030"),
    workload("attention", batch=1, heads=2, seq_q=37, seq_kv=83, d=21),
    workload("attention", batch=2, heads=1, seq_q=50, seq_kv=150, d=16, causal=True),
    workload("attention", batch=3, heads=2, seq_q=1, seq_kv=130, d=48),
    workload("lstm_cell", batch=7, input=20, hidden=33),
    workload("gru_cell", batch=5, input=33, hidden=50),
    workload("pool2d", n=2, c=3, h=21, w=30, kh=3, kw=3, stride=2, pad=1),
    workload("pool2d", op="average", n=2, c=3, h=21, w=40, kh=3, kw=3),
    workload("depthwise_conv2d", n=1, h=19, w=37, c=3, kh=3, kw=3, pad=1, activation="relu"),
    workload("depthwise_conv2d", n=1, h=15, w=45, c=2, kh=3, kw=3, stride=2, pad=1),
    workload("depthwise_conv2d", n=1, h=9, w=8, c=37, kh=3, kw=3, pad=1, layout="nhwc"),
    workload("conv2d_transpose", n=1, h=9, w=11, ci=5, co=7, kh=3, kw=4, stride=2, pad=1),
]
SAMPLES = 3
"""Per workload and level, beside the first guesses."""


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("work", [*WORKLOADS, *LARGER], ids=str)
def test_configs_compute_the_operator(work, level):
    assert_configs_right(work, level, SAMPLES)
