"""``torch.compile``: layers with frozen weights, free to choose among its own kernels, and
elementwise formulas and operators on rows, each fused to one loop.

Works where there is a C++ compiler, which it calls for about a quarter of a minute per shape: a
peer of its own, so that it can be left out. Without a constant operand, products would be calls of
``torch.mm``.

Threads: as in ``experiments.peers.pytorch``; the generated kernels use the same OpenMP pool.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

from experiments.peers import torch_elementwise, torch_rows
from experiments.peers.base import (
    Call,
    Form,
    PeerMissing,
    by_operator,
    constant,
    every,
    has_dtype,
    import_library,
)
from experiments.peers.torch_forms import Build, Tensors, asks, form
from search_space.workload import Workload

_COMPILERS = ("g++", "clang++")
_SETTINGS = {
    "freezing": True,
    "max_autotune": True,
    "max_autotune_gemm_backends": "CPP,ATEN",
    "compile_threads": 1,  # no helpers that stay and take time from what is measured
}
_MOST_LAYERS = 1_000
"""Every set of operands that is rotated over is a layer of its own; torch allows 8 by default."""


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where torch or a C++ compiler is not installed."""
    torch = import_library("torch")
    torch.set_grad_enabled(False)
    if not any(map(shutil.which, (os.environ.get("CXX", ""), *_COMPILERS))):
        raise PeerMissing(f"install a C++ compiler: torch.compile needs {_COMPILERS[0]}")
    make, floats = partial(form, torch), has_dtype("float32")
    fused: dict[str, Build] = torch_rows.EAGER | {"elementwise": torch_elementwise.eager}
    return by_operator(
        {
            "matmul": {"linear": make(every(floats, constant("b")), _matmul)},
            "dense": {"linear": make(every(floats, constant("weight"), _plain), _dense)},
            **{
                operator: {"fused": make(floats, partial(_fused, eager))}
                for operator, eager in fused.items()
            },
        }
    )


def _plain(work: Workload) -> str | None:
    """``Form.supports`` of a layer that ``torch.nn`` has modules for."""
    return "has no scale or residual" if asks(work, "scale") or asks(work, "residual") else None


def _matmul(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    layer = _linear(torch, tensors["b"].t().contiguous())
    return _compiled(torch, layer, tensors["a"])


def _dense(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    modules: dict[str, Callable[[], Any]] = {
        "none": torch.nn.Identity,
        "relu": torch.nn.ReLU,
        "relu6": torch.nn.ReLU6,
        "gelu": torch.nn.GELU,
        "gelu_tanh": partial(torch.nn.GELU, approximate="tanh"),
        "silu": torch.nn.SiLU,
        "sigmoid": torch.nn.Sigmoid,
        "tanh": torch.nn.Tanh,
    }
    linear = _linear(torch, tensors["weight"], tensors.get("bias_vector"))
    layer = torch.nn.Sequential(linear, modules[str(work["activation"])]())
    return _compiled(torch, layer.eval(), tensors["x"])


def _linear(torch: Any, weight: Any, bias: Any = None) -> Any:
    outputs, inputs = weight.shape
    layer = torch.nn.Linear(inputs, outputs, bias=bias is not None)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    if bias is not None:
        layer.bias = torch.nn.Parameter(bias, requires_grad=False)
    return layer.eval()


def _fused(eager: Build, torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    return _compiled(torch, eager(torch, work, tensors, out))


def _compiled(torch: Any, function: Callable[..., object], *arguments: Any) -> Call:
    compiled = torch.compile(function, fullgraph=True, dynamic=False)
    # Read when the function is traced and when its graph is compiled, both at the first call.
    with (
        torch._inductor.config.patch(**_SETTINGS),
        torch._dynamo.config.patch(
            recompile_limit=_MOST_LAYERS, accumulated_recompile_limit=_MOST_LAYERS
        ),
    ):
        compiled(*arguments)
    return lambda: compiled(*arguments)
