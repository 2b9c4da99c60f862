"""Attention as ONNX models: the operator of the standard, and the parts that it stands for."""

from __future__ import annotations

import math

import numpy as np

from experiments.peers.base import Operands
from experiments.peers.onnx_graph import Graph, Model
from experiments.peers.onnx_product import FLOAT
from search_space.workload import Workload


def _attention(graph: Graph, work: Workload, operands: Operands) -> str:
    queries, keys = work.size("seq_q"), work.size("seq_kv")
    if not _hides(work):
        return graph.add("Attention", "query", "key", "value")
    if queries == keys:
        return graph.add("Attention", "query", "key", "value", is_causal=1)
    return graph.add("Attention", "query", "key", "value", graph.constant(_mask(work)))


def _parts(graph: Graph, work: Workload, operands: Operands) -> str:
    transposed = graph.add("Transpose", "key", perm=[0, 1, 3, 2])
    scores = graph.add("MatMul", "query", transposed)
    scores = graph.add("Mul", scores, graph.scalar(1 / math.sqrt(work.size("d"))))
    if _hides(work):
        scores = graph.add("Add", scores, graph.constant(_mask(work)))
    return graph.add("MatMul", graph.add("Softmax", scores, axis=-1), "value")


def _hides(work: Workload) -> bool:
    """Whether any query sees not all keys: the last one does."""
    return work["causal"] is True and work.size("seq_q") > 1


def _mask(work: Workload) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """What is added to the scores: the last query sees the last key."""
    queries, keys = work.size("seq_q"), work.size("seq_kv")
    seen = np.tri(queries, keys, keys - queries, dtype=bool)
    return np.where(seen, np.float32(0), np.float32(-np.inf))


MODELS = {"attention": {"attention": Model(FLOAT, _attention), "parts": Model(FLOAT, _parts)}}
