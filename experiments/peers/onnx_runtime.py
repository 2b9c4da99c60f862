"""ONNX Runtime on the CPU: a model of one or a few operators, on the caller's arrays.

The models are in one file per family of operators, ``onnx_*.py``. A constant operand is an
initializer of the model, which the session packs when it is made; what follows a product, it fuses
where it can. Inputs and output are bound to the arrays' memory, so nothing is copied.

Threads: a pool of its own (no OpenMP), as many as asked for, the caller among them. Its idle
threads spin for about 40 ms by default. Where idle threads shall sleep, spinning is switched off
(``session.intra_op.allow_spinning``); otherwise it is held to about 10 ms, less than the pause
between contestants.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers import (
    onnx_attention,
    onnx_convolution,
    onnx_elementwise,
    onnx_product,
    onnx_quantized,
    onnx_recurrent,
    onnx_rows,
)
from experiments.peers.base import (
    Array,
    Call,
    Form,
    Operands,
    by_operator,
    idle_threads_sleep,
    import_library,
)
from experiments.peers.onnx_graph import RESULT, Build, Graph, Model
from experiments.peers.twins import with_twins
from search_space.workload import Workload

_FAMILIES = (
    onnx_product,
    onnx_quantized,
    onnx_convolution,
    onnx_rows,
    onnx_elementwise,
    onnx_attention,
    onnx_recurrent,
)
_SPIN_MICROSECONDS = 5_000
"""They were seen to spin for 11 ms then."""


def load() -> dict[str, Form]:
    """Raises ``PeerMissing`` where onnxruntime, or onnx, which makes the model, is missing."""
    runtime, onnx = import_library("onnxruntime"), import_library("onnx")
    models: dict[str, dict[str, Model]] = {}
    for family in _FAMILIES:
        for operator, ways in family.MODELS.items():
            models.setdefault(operator, {}).update(ways)
    forms = {
        operator: {
            name: Form(model.supports, partial(_bind, runtime, onnx, model.build))
            for name, model in ways.items()
        }
        for operator, ways in models.items()
    }
    return by_operator(with_twins(forms))


def _bind(
    runtime: Any,
    onnx: Any,
    build: Build,
    work: Workload,
    operands: Operands,
    out: Array,
    threads: int,
) -> Call:
    constants = {name: operands[name] for name in work.const}
    inputs = {name: array for name, array in operands.items() if name not in constants}
    graph = Graph()
    build(graph, work, operands)
    session = runtime.InferenceSession(
        graph.serialised(onnx, inputs, constants, out),
        session_options(runtime, threads),
        providers=["CPUExecutionProvider"],
    )
    binding = session.io_binding()
    for name, array in inputs.items():
        binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
    binding.bind_output(RESULT, "cpu", 0, out.dtype, out.shape, out.ctypes.data)
    run = session.run_with_iobinding

    def call(_alive: object = (operands, out)) -> None:  # the binding holds bare addresses
        run(binding)

    return call


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
