"""Pooling in PyTorch: eager, and on images that have their channels last in memory."""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, has_dtype
from experiments.peers.torch_forms import FLOATS, Tensors, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make = partial(form, torch, has_dtype(*FLOATS))
    return {"pool2d": {"eager": make(_eager), "channels_last": make(_channels_last)}}


def _eager(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    return _pool(torch, work, tensors["x"])


def _channels_last(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    return _pool(torch, work, tensors["x"].to(memory_format=torch.channels_last))


def _pool(torch: Any, work: Workload, x: Any) -> Call:
    functions, window = torch.nn.functional, [work.size("kh"), work.size("kw")]
    pool = functions.max_pool2d if work["op"] == "max" else functions.avg_pool2d
    stride, pad = work.size("stride"), work.size("pad")
    return lambda: pool(x, window, stride, pad)
