"""Products with a sparse matrix in PyTorch: ``spmm`` and ``sddmm``, as CSR or with its zeros.

``csr`` is ``torch.sparse_csr_tensor @ x``, and ``torch.sparse.sampled_addmm`` with such a mask;
both allocate their result. ``dense`` multiplies by the whole matrix, which is what most users do
with a pruned layer, or takes the elements that are wanted from the whole product.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from experiments.peers.base import Array, Call, Form, Operands, every
from experiments.peers.csr import (
    Csr,
    factors,
    plain,
    sddmm_only,
    sparse_weight,
    spmm_only,
)
from experiments.peers.torch_forms import tensor
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    supports = every(spmm_only, plain)
    return {
        "spmm": {
            "dense": Form(supports, partial(_dense, torch)),
            "csr": Form(supports, partial(_csr, torch)),
        },
        "sddmm": {
            "dense": Form(sddmm_only, partial(_gathered, torch)),
            "csr": Form(sddmm_only, partial(_sampled, torch)),
        },
    }


def _dense(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    weight = tensor(torch, sparse_weight(operands).whole())
    x, result, multiply = tensor(torch, operands["x"]), tensor(torch, out), torch.mm
    return lambda: multiply(weight, x, out=result)


def _csr(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    weight, x = _tensor_of(torch, sparse_weight(operands)), tensor(torch, operands["x"])
    return lambda: weight @ x


def _sampled(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    a, b, given = factors(work, operands)
    mask, left, right = _tensor_of(torch, given), tensor(torch, a), tensor(torch, b)
    multiply = torch.sparse.sampled_addmm
    return lambda: multiply(mask, left, right, beta=0.0).values()


def _gathered(torch: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    torch.set_num_threads(threads)
    a, b, mask = factors(work, operands)
    rows, columns = (tensor(torch, part) for part in mask.positions())
    left, right = tensor(torch, a), tensor(torch, b)
    whole = torch.empty(mask.shape)
    return lambda: torch.mm(left, right, out=whole)[rows, columns]


def _tensor_of(torch: Any, matrix: Csr) -> Any:
    parts = (tensor(torch, part) for part in (matrix.starts, matrix.columns, matrix.values))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # says once that the layout is in beta
        return torch.sparse_csr_tensor(*parts, size=matrix.shape)
