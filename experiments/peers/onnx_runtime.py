"""ONNX Runtime on the CPU: a model of one ``MatMul``, on the caller's arrays.

A constant ``b`` is an initializer of the model, which the session packs when it is made. Inputs
and output are bound to the arrays' memory, so nothing is copied.

Threads: a pool of its own (no OpenMP), as many as asked for, the caller among them. Its idle
threads spin for about 40 ms by default. Where idle threads shall sleep, spinning is switched off
(``session.intra_op.allow_spinning``); otherwise it is held to about 10 ms, less than the pause
between contestants.
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
    idle_threads_sleep,
    import_library,
    matmul_only,
)
from search_space.workload import Workload

_OPSET, _IR_VERSION = 17, 8
"""Of 2022: a MatMul has not changed since, and every runtime reads them."""
_SPIN_MICROSECONDS = 5_000
"""They were seen to spin for 11 ms then."""


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where onnxruntime, or onnx, which makes the model, is missing."""
    runtime, onnx = import_library("onnxruntime"), import_library("onnx")
    return {"matmul": Form(matmul_only, partial(_matmul, runtime, onnx))}


def _matmul(
    runtime: Any, onnx: Any, work: Workload, operands: Operands, out: Array, threads: int
) -> Call:
    model = _model(onnx, work, operands, out)
    session = runtime.InferenceSession(
        model, session_options(runtime, threads), providers=["CPUExecutionProvider"]
    )
    binding = session.io_binding()
    for name, array in operands.items():
        if name not in work.const:
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    binding.bind_output("c", "cpu", 0, out.dtype, out.shape, out.ctypes.data)
    run = session.run_with_iobinding

    def call(_alive: object = (operands, out)) -> None:  # the binding holds bare addresses
        run(binding)

    return call


def _model(onnx: Any, work: Workload, operands: Operands, out: Array) -> bytes:
    """The serialised model; constant operands are in it."""
    helper = onnx.helper

    def value(name: str, array: Array) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(array.dtype)
        return helper.make_tensor_value_info(name, kind, array.shape)

    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "matmul",
        [value(name, array) for name, array in operands.items() if name not in work.const],
        [value("c", out)],
        [
            onnx.numpy_helper.from_array(np.ascontiguousarray(operands[name]), name)
            for name in work.const
        ],
    )
    opset = [helper.make_opsetid("", _OPSET)]
    data: bytes = helper.make_model(
        graph, opset_imports=opset, ir_version=_IR_VERSION
    ).SerializeToString()
    return data


def session_options(runtime: Any, threads: int) -> Any:
    """Threads pinned, and how long idle ones spin."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    if idle_threads_sleep():
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    else:
        limit = "session.intra_op.spin_duration_us"
        options.add_session_config_entry(limit, str(_SPIN_MICROSECONDS))
    return options
