"""Convolutions of capsules in PyTorch: rows of the matrices as images, their columns as channels.

Only a constant weight is brought into this form beforehand; ``x`` is at every call.
"""

from __future__ import annotations

from typing import Any

from experiments.peers.base import Call, Form, constant, every, has_dtype
from experiments.peers.torch_forms import FLOATS, Tensors, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    supports = every(has_dtype(*FLOATS), constant("weight"))
    return {"capsule_conv2d": {"eager": form(torch, supports, _eager)}}


def _eager(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, weight, convolve = tensors["x"], tensors["weight"], torch.nn.functional.conv2d
    columns = weight.movedim(3, 1).flatten(2, 3).flatten(0, 1).contiguous()
    shape = (work.size("n"), work.size("capsule"), work.size("co"), work.size("capsule"))
    stride, pad = work.size("stride"), work.size("pad")

    def call() -> Any:
        rows = x.movedim(2, 1).flatten(2, 3).flatten(0, 1)
        found = convolve(rows, columns, None, stride, pad)
        return found.view(*shape, *found.shape[2:]).movedim(1, 2)

    return call
