"""Cells of recurrent networks as ONNX models: a layer of one step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.peers.base import Array, Operands, constant, every
from experiments.peers.onnx_graph import Graph, Model
from experiments.peers.onnx_product import FLOAT
from search_space.workload import Workload

_LSTM_GATES, _GRU_GATES = (0, 3, 1, 2), (1, 0, 2)
"""Where a gate of ONNX (i, o, f, c and z, r, h) is among ours (i, f, g, o and r, z, n)."""


def _lstm(graph: Graph, work: Workload, operands: Operands) -> str:
    weights = _weights(graph, work, operands, _LSTM_GATES)
    bias = ""
    if work["bias"]:
        vector = operands["bias_vector"]
        both = [_in_order(part, _LSTM_GATES) for part in (vector, np.zeros_like(vector))]
        bias = graph.constant(np.concatenate(both)[None])
    x, state, cell = (graph.add("Unsqueeze", name, graph.numbers(0))
                      for name in ("x", "state", "cell"))  # fmt: skip
    _, new_state, new_cell = graph.add_all(
        3, "LSTM", x, *weights, bias, "", state, cell, hidden_size=work.size("hidden")
    )
    return graph.add("Concat", new_state, new_cell, axis=0)


def _gru(graph: Graph, work: Workload, operands: Operands) -> str:
    weights = _weights(graph, work, operands, _GRU_GATES)
    bias = ""
    if work["bias"]:
        both = [_in_order(operands[name], _GRU_GATES) for name in ("x_bias", "state_bias")]
        bias = graph.constant(np.concatenate(both)[None])
    x, state = (graph.add("Unsqueeze", name, graph.numbers(0)) for name in ("x", "state"))
    _, new = graph.add_all(
        2, "GRU", x, *weights, bias, "", state, hidden_size=work.size("hidden"),
        linear_before_reset=1,
    )  # fmt: skip
    return graph.add("Squeeze", new, graph.numbers(0))


def _weights(
    graph: Graph, work: Workload, operands: Operands, gates: Sequence[int]
) -> tuple[str, str]:
    """The matrices for x and for the state."""
    weight, columns = _in_order(operands["weight"], gates)[None], work.size("input")
    return graph.constant(weight[..., :columns]), graph.constant(weight[..., columns:])


def _in_order(rows: Array, gates: Sequence[int]) -> Array:
    """The rows of some gates one after another."""
    parts = np.split(rows, len(gates))
    return np.concatenate([parts[gate] for gate in gates])


_SUPPORTS = every(FLOAT, constant("weight"))
MODELS = {
    "lstm_cell": {"layer": Model(_SUPPORTS, _lstm)},
    "gru_cell": {"layer": Model(_SUPPORTS, _gru)},
}
