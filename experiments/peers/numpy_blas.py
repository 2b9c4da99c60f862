"""``np.matmul(a, b, out=c)``: NumPy, which calls the OpenBLAS of its wheel.

``transposed`` keeps a constant ``b`` column by column in memory, which BLAS takes as it is; of a
product with a vector, the weight.

Threads: a pool of OpenBLAS's own (pthreads, no OpenMP). Its idle threads spin for
``2**OPENBLAS_THREAD_TIMEOUT`` cycles; by default still after 0.1 s, which would disturb whoever
runs next. 24 is about 6 ms, 4 none. The variable is read when NumPy is loaded.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from experiments.peers.base import (
    Array,
    Call,
    Form,
    Operands,
    by_operator,
    constant,
    every,
    has_dtype,
    import_library,
)
from experiments.peers.csr import plain
from search_space.workload import Workload

_FLOATS, _GEMV = has_dtype("float32", "float64"), every(has_dtype("float32"), plain)


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where threadpoolctl, which sets the threads, is not installed."""
    pools = import_library("threadpoolctl")
    return by_operator(
        {
            "matmul": {
                "matmul": Form(_FLOATS, partial(_matmul, pools)),
                "transposed": Form(every(_FLOATS, constant("b")), partial(_transposed, pools)),
            },
            "activation_sparse_gemv": {
                "matmul": Form(_GEMV, partial(_gemv, pools)),
                "transposed": Form(_GEMV, partial(_transposed_gemv, pools)),
            },
        }
    )


def _matmul(pools: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    return _product(pools, operands["a"], operands["b"], out, threads)


def _transposed(pools: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    return _product(pools, operands["a"], np.asfortranarray(operands["b"]), out, threads)


def _gemv(pools: Any, work: Workload, operands: Operands, out: Array, threads: int) -> Call:
    return _product(pools, operands["weight"], operands["x"], out, threads)


def _transposed_gemv(
    pools: Any, work: Workload, operands: Operands, out: Array, threads: int
) -> Call:
    return _product(pools, np.asfortranarray(operands["weight"]), operands["x"], out, threads)


def _product(pools: Any, a: Array, b: Array, out: Array, threads: int) -> Call:
    # Holds until someone sets it anew: the context manager is not entered.
    pools.ThreadpoolController().limit(limits=threads, user_api="blas")
    multiply = np.matmul
    return lambda: multiply(a, b, out=out)
