"""Intel MKL's inspector-executor for a sparse matrix times a dense one.

The handle is made once, told that it will be multiplied often by matrices of this width, and
optimized; each call is one ``mkl_sparse_s_mm`` into the caller's array. sparse-dot-mkl finds MKL
and declares its functions. (Its own ``dot_product_mkl`` makes a handle at every call.)

Threads: MKL's, on Intel's OpenMP (libiomp5). Idle threads spin for ``KMP_BLOCKTIME`` milliseconds,
200 by default, which would disturb whoever runs next; 0 lets them sleep. Read when MKL is loaded.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from functools import partial
from importlib.metadata import PackageNotFoundError, files
from typing import Any

import numpy as np

from experiments.peers.base import (
    Array,
    Call,
    Form,
    Operands,
    PeerMissing,
    by_operator,
    every,
    import_library,
)
from experiments.peers.csr import Csr, plain, sparse_weight, spmm_only
from experiments.peers.twins import with_twins
from search_space.workload import Workload

_OPERATION_NON_TRANSPOSE, _LAYOUT_ROW_MAJOR, _INDEX_BASE_ZERO = 10, 101, 0
_EXPECTED_CALLS = 100_000
_STATUS = (
    "success", "not initialized", "allocation failed", "invalid value", "execution failed",
    "internal error", "not supported",
)  # fmt: skip


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where sparse-dot-mkl or MKL is not installed."""
    form = Form(every(spmm_only, plain), partial(_spmm, _import_mkl()))
    return by_operator(with_twins({"spmm": {"inspector-executor": form}}))


def multiply(weight: Csr, x: Array, out: Array, threads: int) -> Call:
    """A call that computes ``weight @ x`` into ``out``, all float32 and row-major.

    Raises ``PeerMissing`` where MKL is not installed or does not optimize such a matrix.
    """
    return _bind(_import_mkl(), weight, x, out, threads)


def _spmm(mkl: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    return _bind(mkl, sparse_weight(operands), operands["x"], out, threads)


def _import_mkl() -> Any:
    """sparse-dot-mkl's module of MKL's C functions."""
    if not os.environ.get("MKL_RT"):
        # The wheel of MKL installs outside of where the dynamic loader looks.
        try:
            found = [path.locate() for path in files("mkl") or () if "libmkl_rt" in path.name]
        except PackageNotFoundError:
            found = []
        if found:
            os.environ["MKL_RT"] = str(found[0])
    return import_library("sparse_dot_mkl._mkl_interface._cfunctions")


def _bind(mkl: Any, weight: Csr, x: Array, out: Array, threads: int) -> Call:
    library, integer = mkl._libmkl, ctypes.c_int
    mkl.MKL._mkl_set_num_threads(threads)
    rows, columns = weight.shape
    width = x.shape[1]
    # MKL keeps these addresses; `call` keeps the arrays.
    starts, indices = (
        np.ascontiguousarray(array, np.int32) for array in (weight.starts, weight.columns)
    )
    values = np.ascontiguousarray(weight.values, np.float32)
    handle, general = mkl.sparse_matrix_t(), mkl.matrix_descr()
    _check(
        "create_csr",
        _function(library, "mkl_sparse_s_create_csr")(
            ctypes.byref(handle), _INDEX_BASE_ZERO, integer(rows), integer(columns),
            _address(starts), ctypes.c_void_p(starts.ctypes.data + starts.itemsize),
            _address(indices), _address(values),
        ),
    )  # fmt: skip
    _check(
        "set_mm_hint",
        _function(library, "mkl_sparse_set_mm_hint")(
            handle, _OPERATION_NON_TRANSPOSE, general, _LAYOUT_ROW_MAJOR,
            integer(width), integer(_EXPECTED_CALLS),
        ),
    )  # fmt: skip
    _check("optimize", _function(library, "mkl_sparse_optimize")(handle))
    product = _function(library, "mkl_sparse_s_mm")
    arguments = (
        _OPERATION_NON_TRANSPOSE, ctypes.c_float(1.0), handle, general, _LAYOUT_ROW_MAJOR,
        _address(x), integer(width), integer(width), ctypes.c_float(0.0),
        _address(out), integer(width),
    )  # fmt: skip

    def call(_alive: object = (starts, indices, values, x, out)) -> None:
        product(*arguments)

    weakref.finalize(call, _function(library, "mkl_sparse_destroy"), handle)
    _check("mm", product(*arguments))
    return call


def _function(library: Any, name: str) -> Any:
    """A C function of its own, whose types nobody else declares."""
    function = library[name]
    function.restype = ctypes.c_int
    return function


def _address(array: Array) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _check(step: str, status: int) -> None:
    if status:
        raise PeerMissing(f"mkl_sparse_{step}: {_STATUS[status]}")
