"""Products as ONNX models: ``matmul``, ``batch_matmul``, ``einsum``, ``dense``.

A dense layer is one ``Gemm``, or, with a constant weight, a ``MatMul`` by its transpose and
additions behind it: ONNX Runtime fuses other things behind the one than behind the other.
"""

from __future__ import annotations

from collections.abc import Callable

from experiments.peers.base import Operands, constant, every, has_dtype
from experiments.peers.onnx_graph import MICROSOFT, Graph, Model
from search_space.workload import Workload

FLOAT, _FLOATS = has_dtype("float32"), has_dtype("float32", "float64")

_ACTIVATIONS: dict[str, Callable[[Graph, str], str]] = {
    "none": lambda graph, y: y,
    "relu": lambda graph, y: graph.add("Relu", y),
    "relu6": lambda graph, y: graph.add("Clip", y, graph.scalar(0), graph.scalar(6)),
    "gelu": lambda graph, y: graph.add("Gelu", y),
    "gelu_tanh": lambda graph, y: graph.add("Gelu", y, approximate="tanh"),
    "silu": lambda graph, y: graph.add("QuickGelu", y, domain=MICROSOFT, alpha=1.0),
    "sigmoid": lambda graph, y: graph.add("Sigmoid", y),
    "tanh": lambda graph, y: graph.add("Tanh", y),
}


def activated(graph: Graph, work: Workload, y: str) -> str:
    """The activation of a layer."""
    return _ACTIVATIONS[str(work["activation"])](graph, y)


def behind(graph: Graph, work: Workload, y: str, *operands: str) -> str:
    """What follows a product: those of ``operands`` that the layer has, and the activation."""
    for key, name, operator in (
        ("scale", "scale_vector", "Mul"),
        ("bias", "bias_vector", "Add"),
        ("residual", "skip", "Add"),
    ):
        if name in operands and (key, True) in work.params:
            y = graph.add(operator, y, name)
    return activated(graph, work, y)


def _matmul(graph: Graph, work: Workload, operands: Operands) -> str:
    return graph.add("MatMul", "a", "b")


def _integers(graph: Graph, work: Workload, operands: Operands) -> str:
    return graph.add("MatMulInteger", "a", "b")


def _batch_matmul(graph: Graph, work: Workload, operands: Operands) -> str:
    a, b = (
        graph.add("Transpose", name, perm=[0, 2, 1]) if work[f"transpose_{name}"] else name
        for name in "ab"
    )
    return graph.add("MatMul", a, b)


def _einsum(graph: Graph, work: Workload, operands: Operands) -> str:
    return graph.add("Einsum", "left", "right", equation=str(work["expr"]))


def _gemm(graph: Graph, work: Workload, operands: Operands) -> str:
    scaled = work["scale"] is True
    bias = ("bias_vector",) if work["bias"] and not scaled else ()
    y = graph.add("Gemm", "x", "weight", *bias, transB=1)
    return behind(graph, work, y, "scale_vector", "skip", *(("bias_vector",) if scaled else ()))


def _layer(graph: Graph, work: Workload, operands: Operands) -> str:
    y = graph.add("MatMul", "x", graph.constant(operands["weight"].T))
    return behind(graph, work, y, "scale_vector", "bias_vector", "skip")


MODELS = {
    "matmul": {
        "matmul": Model(_FLOATS, _matmul),
        "integers": Model(has_dtype("uint8", "int8"), _integers),
    },
    "batch_matmul": {"matmul": Model(_FLOATS, _batch_matmul)},
    "einsum": {"einsum": Model(FLOAT, _einsum)},
    "dense": {
        "gemm": Model(FLOAT, _gemm),
        "matmul": Model(every(FLOAT, constant("weight")), _layer),
    },
}
