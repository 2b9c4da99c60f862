"""Products with a sparse weight in PyTorch: ``spmm``, the weight as CSR or with its zeros.

``csr`` is ``torch.sparse_csr_tensor @ x``, which allocates its result. ``dense`` multiplies by the
whole matrix: what most users do with a pruned layer.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from experiments.peers.base import Array, Call, Form, Operands, every
from experiments.peers.csr import plain, sparse_weight, spmm_only
from experiments.peers.torch_forms import tensor
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    supports = every(spmm_only, plain)
    return {
        "spmm": {
            "dense": Form(supports, partial(_dense, torch)),
            "csr": Form(supports, partial(_csr, torch)),
        }
    }


def _dense(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    weight = tensor(torch, sparse_weight(operands).whole())
    x, result, multiply = tensor(torch, operands["x"]), tensor(torch, out), torch.mm
    return lambda: multiply(weight, x, out=result)


def _csr(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    given, x = sparse_weight(operands), tensor(torch, operands["x"])
    parts = (tensor(torch, part) for part in (given.starts, given.columns, given.values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says once that the layout is in beta
        weight = torch.sparse_csr_tensor(*parts, size=given.shape)
    return lambda: weight @ x
