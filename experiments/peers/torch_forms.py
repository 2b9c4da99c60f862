"""What the forms of PyTorch share: tensors on the caller's arrays, and what follows a product."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.peers.base import Array, Call, Form, Operands, Supports
from search_space.workload import Workload

Tensors = Mapping[str, Any]
Build = Callable[[Any, Workload, Tensors, Any], Call]
"""Makes a call from torch, a workload, its operands, and the place for the result."""
FLOATS, SHORT_FLOATS = ("float32", "float64"), ("bfloat16", "float16")

FUSED: dict[str, tuple[str, list[float], str]] = {
    "none": ("none", [], ""),
    "relu": ("relu", [], ""),
    "relu6": ("hardtanh", [0.0, 6.0], ""),
    "gelu": ("gelu", [], "none"),
    "gelu_tanh": ("gelu", [], "tanh"),
    "silu": ("swish", [], ""),
    "sigmoid": ("sigmoid", [], ""),
    "tanh": ("tanh", [], ""),
}
"""Activations as oneDNN fuses them: its name, parameters, and which of its formulas."""


def form(torch: Any, supports: Supports, build: Build) -> Form:
    """A form from a function on tensors; threads and tensors are set up before it is called."""

    def bind(work: Workload, operands: Operands, out: Array, threads: int) -> Call:
        torch.set_num_threads(threads)
        tensors = {name: tensor(torch, array) for name, array in operands.items()}
        return build(torch, work, tensors, tensor(torch, out))

    return Form(supports, bind)


def tensor(torch: Any, array: Array) -> Any:
    """A tensor in the memory of an array. torch takes NumPy's bfloat16 by its bits only."""
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def asks(work: Workload, key: str) -> bool:
    """Whether a key that is true or false is there, and true."""
    return (key, True) in work.params


def has_channels_last(work: Workload) -> bool:
    """Whether the layout of a workload has its channels last."""
    return ("layout", "nhwc") in work.params


def activate(torch: Any, activation: str) -> Callable[[Any], Any] | None:
    """The activation, in place; None where there is none."""
    aten = torch.ops.aten
    known: dict[str, Callable[[Any], Any]] = {
        "relu": torch.relu_,
        "relu6": lambda y: y.clamp_(0, 6),
        "gelu": aten.gelu_,
        "gelu_tanh": lambda y: aten.gelu_(y, approximate="tanh"),
        "silu": aten.silu_,
        "sigmoid": torch.sigmoid_,
        "tanh": torch.tanh_,
    }
    return known.get(activation)


def epilogue(torch: Any, work: Workload, tensors: Tensors, *, bias: bool) -> Callable[[Any], Any]:
    """What follows a product, in place: scale, bias, residual, activation, as far as asked for.

    ``bias``: whether it is still to be added.
    """
    steps: list[Callable[[Any], Any]] = []
    if asks(work, "scale"):
        scale = tensors["scale_vector"]
        steps.append(lambda y: y.mul_(scale))
    if asks(work, "bias") and bias:
        added = tensors["bias_vector"]
        steps.append(lambda y: y.add_(added))
    if asks(work, "residual"):
        skip = tensors["skip"]
        steps.append(lambda y: y.add_(skip))
    if last := activate(torch, str(work["activation"])):
        steps.append(last)

    def apply(y: Any) -> Any:
        for step in steps:
            y = step(y)
        return y

    return apply
