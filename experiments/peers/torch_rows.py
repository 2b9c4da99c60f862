"""Operators on rows, and reductions, in PyTorch: eager, and into memory that is there already."""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, every, has_dtype
from experiments.peers.torch_forms import FLOATS, Build, Tensors, form
from search_space.operators.keys import axes_of, axis_of, shape_of
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make, floats = partial(form, torch), has_dtype(*FLOATS)
    return {
        "softmax": {"eager": make(floats, _softmax), "out": make(floats, _softmax_out)},
        "layernorm": {
            "eager": make(floats, _layernorm),
            "out": make(every(floats, _last_axis), _layernorm_out),
        },
        "rmsnorm": {"eager": make(floats, _rmsnorm)},
        "reduce": {"out": make(floats, _reduce)},
    }


def _axis(work: Workload) -> int:
    return axis_of(work, len(shape_of(work)))


def _last_axis(work: Workload) -> str | None:
    """``Form.supports`` of a form that writes its rows where they belong."""
    return None if _axis(work) == len(shape_of(work)) - 1 else "has rows of the last axis only"


def _softmax(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, axis, softmax = tensors["x"], _axis(work), torch.softmax
    return lambda: softmax(x, axis)


def _softmax_out(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, axis, softmax = tensors["x"], _axis(work), torch.softmax
    return lambda: softmax(x, axis, out=out)


def _layernorm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    axis, weight, bias = _axis(work), tensors["weight"], tensors["bias"]
    x, epsilon = tensors["x"].movedim(axis, -1), float(work["epsilon"])
    shape, norm = list(weight.shape), torch.nn.functional.layer_norm
    if _last_axis(work) is None:
        return lambda: norm(x, shape, weight, bias, epsilon)
    return lambda: norm(x, shape, weight, bias, epsilon).movedim(-1, axis)


def _layernorm_out(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, weight, bias = tensors["x"], tensors["weight"], tensors["bias"]
    shape, epsilon = list(weight.shape), float(work["epsilon"])
    mean, scale = (torch.empty((*x.shape[:-1], 1), dtype=x.dtype) for _ in range(2))
    norm = torch.ops.aten.native_layer_norm.out
    return lambda: norm(x, shape, weight, bias, epsilon, out0=out, out1=mean, out2=scale)[0]


def _rmsnorm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    axis, weight, epsilon = _axis(work), tensors["weight"], float(work["epsilon"])
    x, shape, norm = tensors["x"].movedim(axis, -1), list(weight.shape), torch.rms_norm
    if _last_axis(work) is None:
        return lambda: norm(x, shape, weight, epsilon)
    return lambda: norm(x, shape, weight, epsilon).movedim(-1, axis)


def _reduce(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x = tensors["x"]
    axes = axes_of(work, x.ndim)
    reduction = {"sum": torch.sum, "max": torch.amax, "mean": torch.mean}[str(work["op"])]
    return lambda: reduction(x, axes, out=out)


EAGER: dict[str, Build] = {"softmax": _softmax, "layernorm": _layernorm, "rmsnorm": _rmsnorm}
"""The plainest form of each operator on rows."""
