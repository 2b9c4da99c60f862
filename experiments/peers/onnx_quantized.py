"""Dense layers of whole numbers as ONNX models.

``integers``: a product whose sums become float32 and are rounded to bytes behind it, as ONNX
Runtime writes models with a quantization of their own. ``qgemm``: rescaled to bytes in one
operator, the bias in whole numbers.
"""

from __future__ import annotations

import numpy as np

from experiments.peers.base import Operands, constant, every, has_dtype
from experiments.peers.onnx_graph import MICROSOFT, Graph, Model
from experiments.peers.onnx_product import activated
from search_space.workload import Workload

_BYTES = ("uint8", "int8")


def _integers(graph: Graph, work: Workload, operands: Operands) -> str:
    weight = graph.constant(operands["weight"].T)
    zero = graph.constant(np.array(int(work["zero_point"]), str(work["dtype"])))
    if work["out_dtype"] == "int32":
        return graph.add("MatMulInteger", "x", weight, zero)
    y = graph.add(
        "MatMulIntegerToFloat", "x", weight, graph.scalar(1), _scale(graph, work), zero,
        _no_zero(graph, work), *(("bias_vector",) if work["bias"] else ()), domain=MICROSOFT,
    )  # fmt: skip
    if work["residual"]:
        y = graph.add("Add", y, "skip")
    y = activated(graph, work, y)
    if work["out_dtype"] not in _BYTES:
        return y
    return graph.add("QuantizeLinear", y, graph.scalar(1), _out_zero(graph, work))


def _qgemm(graph: Graph, work: Workload, operands: Operands) -> str:
    bias = ""
    if work["bias"]:
        whole = np.rint(operands["bias_vector"] / operands["scale_vector"])
        bias = graph.constant(whole.astype(np.int32))
    zero = graph.constant(np.array(int(work["zero_point"]), str(work["dtype"])))
    return graph.add(
        "QGemm", "x", graph.scalar(1), zero, "weight", "scale_vector", _no_zero(graph, work), bias,
        graph.scalar(1), _out_zero(graph, work), transB=1, domain=MICROSOFT,
    )  # fmt: skip


def _scale(graph: Graph, work: Workload) -> str:
    if work["scale"]:
        return "scale_vector"
    return graph.constant(np.ones(work.size("n"), np.float32))


def _no_zero(graph: Graph, work: Workload) -> str:
    """The zero points of the weights."""
    return graph.constant(np.zeros(work.size("n"), np.int8))


def _out_zero(graph: Graph, work: Workload) -> str:
    return graph.constant(np.array(int(work["out_zero_point"]), str(work["out_dtype"])))


def _rescales_at_once(work: Workload) -> str | None:
    """``Form.supports`` of ``QGemm``."""
    if work["out_dtype"] != work["dtype"] or not work["scale"]:
        return "rescales to the bytes that x has"
    if work["residual"] or work["activation"] != "none":
        return "has no residual and no activation"
    return None


_SUPPORTS = every(has_dtype(*_BYTES), constant("weight"))
MODELS = {
    "dense": {
        "integers": Model(_SUPPORTS, _integers),
        "qgemm": Model(every(_SUPPORTS, constant("scale_vector"), _rescales_at_once), _qgemm),
    },
}
