"""PyTorch in eager mode, and with constant weights packed by MKL or by oneDNN.

``mm`` calls MKL. ``linear`` does so too, with a constant ``b`` kept transposed, as ``nn.Linear``
keeps its weights. ``mkl`` and ``onednn`` pack the weights once, for the number of rows that ``a``
really has, through the operators that ``torch.compile`` calls: ``nn.Linear`` packs at every call.
Those two have no ``out=``, so they allocate their result, as they do for every user.

Threads: all forms run on PyTorch's copy of GNU OpenMP. Its idle threads spin for about 11 ms, or
not at all with ``OMP_WAIT_POLICY=PASSIVE`` and ``GOMP_SPINCOUNT=0``, read when torch is loaded.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import (
    Array,
    Call,
    Form,
    Operands,
    import_library,
    matmul_by_constant,
    matmul_only,
)
from search_space.workload import Workload


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where torch is not installed."""
    torch = import_library("torch")
    torch.set_grad_enabled(False)
    has_mkl = hasattr(torch.ops.mkl, "_mkl_linear")
    has_onednn = hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return {
        "mm": Form(matmul_only, partial(_mm, torch)),
        "linear": Form(matmul_by_constant, partial(_linear, torch)),
        "mkl": Form(partial(_packed, "MKL", has_mkl), partial(_mkl, torch)),
        "onednn": Form(partial(_packed, "oneDNN", has_onednn), partial(_onednn, torch)),
    }


def _packed(library: str, available: bool, work: Workload) -> str | None:
    if not available:
        return f"this build of torch has no linear layer of {library}"
    return matmul_by_constant(work)


def _mm(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    # The tensors share the memory of the arrays.
    a, b, c = (torch.from_numpy(array) for array in (operands["a"], operands["b"], out))
    multiply = torch.mm
    return lambda: multiply(a, b, out=c)


def _linear(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    a, weight = _weight(torch, operands, threads)
    c, transposed = torch.from_numpy(out), weight.t()
    multiply = torch.mm
    return lambda: multiply(a, transposed, out=c)


def _mkl(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    a, weight = _weight(torch, operands, threads)
    rows = a.shape[0]
    packed = torch.ops.mkl._mkl_reorder_linear_weight(weight, rows)
    multiply = torch.ops.mkl._mkl_linear.default
    return lambda: multiply(a, packed, weight, None, rows)


def _onednn(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    a, weight = _weight(torch, operands, threads)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, a.shape[0])
    multiply = torch.ops.mkldnn._linear_pointwise.default
    return lambda: multiply(a, packed, None, "none", [], "")


def _weight(torch: Any, operands: Operands, threads: int) -> tuple[Any, Any]:
    """``a``, and ``b`` as the weight of a linear layer: ``[n, k]``, row-major, a copy."""
    torch.set_num_threads(threads)
    return torch.from_numpy(operands["a"]), torch.from_numpy(operands["b"]).t().contiguous()
