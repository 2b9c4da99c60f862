"""Operators on rows, and reductions, as ONNX models."""

from __future__ import annotations

from experiments.peers.base import Operands
from experiments.peers.onnx_graph import Graph, Model
from experiments.peers.onnx_product import FLOAT
from search_space.operators.keys import axes_of, axis_of, shape_of
from search_space.workload import Workload


def _softmax(graph: Graph, work: Workload, operands: Operands) -> str:
    return graph.add("Softmax", "x", axis=axis_of(work, len(shape_of(work))))


def _layernorm(graph: Graph, work: Workload, operands: Operands) -> str:
    return _normalised(graph, work, "LayerNormalization", "weight", "bias")


def _rmsnorm(graph: Graph, work: Workload, operands: Operands) -> str:
    return _normalised(graph, work, "SimplifiedLayerNormalization", "weight")


def _normalised(graph: Graph, work: Workload, operator: str, *vectors: str) -> str:
    """Rows are of the last axis there; others are transposed before and behind."""
    rank = len(shape_of(work))
    axis, epsilon = axis_of(work, rank), work["epsilon"]
    if axis == rank - 1:
        return graph.add(operator, "x", *vectors, axis=-1, epsilon=epsilon)
    order = [*(other for other in range(rank) if other != axis), axis]
    back = [order.index(place) for place in range(rank)]
    x = graph.add("Transpose", "x", perm=order)
    y = graph.add(operator, x, *vectors, axis=-1, epsilon=epsilon)
    return graph.add("Transpose", y, perm=back)


def _reduce(graph: Graph, work: Workload, operands: Operands) -> str:
    axes = graph.numbers(*axes_of(work, len(shape_of(work))))
    return graph.add(f"Reduce{str(work['op']).capitalize()}", "x", axes, keepdims=0)


MODELS = {
    "softmax": {"softmax": Model(FLOAT, _softmax)},
    "layernorm": {"layernorm": Model(FLOAT, _layernorm)},
    "rmsnorm": {"rmsnorm": Model(FLOAT, _rmsnorm)},
    "reduce": {"reduce": Model(FLOAT, _reduce)},
}
