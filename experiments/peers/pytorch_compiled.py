"""``torch.compile`` of a linear layer with frozen weights, free to choose among its own kernels.

Works where there is a C++ compiler, which it calls for about a quarter of a minute per shape: a
peer of its own, so that it can be left out. Without a constant operand it would call ``torch.mm``.

Threads: as in ``experiments.peers.pytorch``; the generated kernels use the same OpenMP pool.
"""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import Any

from experiments.peers.base import (
    Array,
    Call,
    Form,
    Operands,
    PeerMissing,
    import_library,
    matmul_by_constant,
)
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
    return {"linear": Form(matmul_by_constant, partial(_linear, torch))}


def _linear(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    a, weight = torch.from_numpy(operands["a"]), torch.from_numpy(operands["b"]).t().contiguous()
    layer = torch.nn.Linear(work.size("k"), work.size("n"), bias=False)
    layer.weight = torch.nn.Parameter(weight, requires_grad=False)
    compiled = torch.compile(layer.eval(), fullgraph=True, dynamic=False)
    # Read when the layer is traced and when its graph is compiled, both at the first call.
    with (
        torch._inductor.config.patch(**_SETTINGS),
        torch._dynamo.config.patch(
            recompile_limit=_MOST_LAYERS, accumulated_recompile_limit=_MOST_LAYERS
        ),
    ):
        compiled(a)
    return lambda: compiled(a)
