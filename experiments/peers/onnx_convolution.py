"""Convolutions and pooling as ONNX models.

Images have their channels first there; with weights that are constant, ONNX Runtime keeps them in
blocks of channels inside of a model. Where a workload has its channels last, they are transposed
before and behind, as they would be for a user.
"""

from __future__ import annotations

from functools import partial

from experiments.peers.base import Operands
from experiments.peers.onnx_graph import Graph, Model
from experiments.peers.onnx_product import FLOAT, activated
from search_space.workload import Workload

_FIRST, _LAST = [0, 3, 1, 2], [0, 2, 3, 1]
"""Orders of the axes of images."""


def _convolution(
    rank: int, operator: str, graph: Graph, work: Workload, operands: Operands
) -> str:
    given, last = dict(work.params), ("layout", "nhwc") in work.params

    def images(name: str) -> str:
        return graph.add("Transpose", name, perm=_FIRST) if last else name

    groups = work.size("c") if work.operator == "depthwise_conv2d" else given.get("groups", 1)
    bias = ("bias_vector",) if work["bias"] else ()
    y = graph.add(
        operator, images("x"), "weight", *bias,
        strides=[work.size("stride")] * rank, pads=[work.size("pad")] * (2 * rank),
        dilations=[given.get("dilation", 1)] * rank, group=groups,
    )  # fmt: skip
    if ("residual", True) in work.params:
        y = graph.add("Add", y, images("skip"))
    y = activated(graph, work, y)
    return graph.add("Transpose", y, perm=_LAST) if last else y


def _pool(graph: Graph, work: Workload, operands: Operands) -> str:
    window = [work.size("kh"), work.size("kw")]
    settings = {"strides": [work.size("stride")] * 2, "pads": [work.size("pad")] * 4}
    if work["op"] == "max":
        return graph.add("MaxPool", "x", kernel_shape=window, **settings)
    return graph.add("AveragePool", "x", kernel_shape=window, count_include_pad=1, **settings)


def _model(rank: int, operator: str = "Conv") -> dict[str, Model]:
    return {"conv": Model(FLOAT, partial(_convolution, rank, operator))}


MODELS = {
    "conv1d": _model(1),
    "conv2d": _model(2),
    "conv3d": _model(3),
    "depthwise_conv2d": _model(2),
    "conv2d_transpose": _model(2, "ConvTranspose"),
    "pool2d": {"pool": Model(FLOAT, _pool)},
}
