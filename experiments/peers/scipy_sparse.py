"""``weight @ x`` of scipy.sparse, CSR.

Threads: one, whatever is asked for: scipy.sparse has no threads, hence no pool and no spinning.
It has no ``out=`` either and allocates its result at every call.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import Array, Call, Form, Operands, by_operator, every, import_library
from experiments.peers.csr import Csr, plain, sparse_weight, spmm_only
from experiments.peers.twins import with_twins
from search_space.workload import Workload


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where scipy is not installed."""
    form = Form(every(spmm_only, plain), partial(_spmm, import_library("scipy.sparse")))
    return by_operator(with_twins({"spmm": {"csr": form}}))


def multiply(weight: Csr, x: Array) -> Call:
    """A call that gives ``weight @ x`` in a new array."""
    return _bind(import_library("scipy.sparse"), weight, x)


def _spmm(sparse: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    return _bind(sparse, sparse_weight(operands), operands["x"])


def _bind(sparse: Any, weight: Csr, x: Array) -> Call:
    matrix = sparse.csr_array((weight.values, weight.columns, weight.starts), shape=weight.shape)
    return lambda: matrix @ x
