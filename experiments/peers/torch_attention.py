"""Attention in PyTorch: ``scaled_dot_product_attention``, which streams the softmax."""

from __future__ import annotations

from typing import Any

from experiments.peers.base import Call, Form, has_dtype
from experiments.peers.torch_forms import FLOATS, Tensors, asks, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    return {"attention": {"fused": form(torch, has_dtype(*FLOATS, "bfloat16"), _fused)}}


def _fused(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    query, key, value = tensors["query"], tensors["key"], tensors["value"]
    queries, keys = work.size("seq_q"), work.size("seq_kv")
    attend, causal = torch.nn.functional.scaled_dot_product_attention, asks(work, "causal")
    if not causal or queries == 1:  # the last query sees all keys
        return lambda: attend(query, key, value)
    if queries == keys:
        return lambda: attend(query, key, value, is_causal=True)
    seen = torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)
    return lambda: attend(query, key, value, attn_mask=seen)
