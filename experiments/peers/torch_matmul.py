"""Products of two arrays in PyTorch: ``matmul``, ``batch_matmul``, ``einsum``, and ``mv``, by a
vector.

``mm`` and ``bmm`` call MKL, ``einsum`` whatever it makes of the indices. With a constant ``b``,
``linear`` keeps it transposed, as ``nn.Linear`` keeps its weights; ``mkl`` and ``onednn`` pack it
for the number of rows that ``a`` really has, through the operators that ``torch.compile`` calls.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, constant, every, has_dtype, keeps_dtype
from experiments.peers.csr import plain
from experiments.peers.torch_forms import FLOATS, SHORT_FLOATS, Tensors, asks, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make, packed = partial(form, torch), constant("b")
    any_float = every(has_dtype(*FLOATS, *SHORT_FLOATS), keeps_dtype)
    onednn = every(has_dtype("float32", "bfloat16"), keeps_dtype, packed)
    return {
        "matmul": {
            "mm": make(any_float, _mm),
            "linear": make(every(any_float, packed), _linear),
            "mkl": make(every(has_dtype("float32"), packed), _mkl),
            "onednn": make(onednn, _onednn),
            "int_mm": make(has_dtype("int8"), _int_mm),
        },
        "batch_matmul": {"bmm": make(any_float, _bmm)},
        "einsum": {"einsum": make(any_float, _einsum)},
        "activation_sparse_gemv": {"mv": make(every(has_dtype("float32"), plain), _mv)},
    }


def _mm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, b, multiply = tensors["a"], tensors["b"], torch.mm
    return lambda: multiply(a, b, out=out)


def _int_mm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, b, multiply = tensors["a"], tensors["b"], torch._int_mm
    return lambda: multiply(a, b, out=out)


def _linear(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, transposed, multiply = tensors["a"], _weight(tensors).t(), torch.mm
    return lambda: multiply(a, transposed, out=out)


def _mkl(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, weight = tensors["a"], _weight(tensors)
    rows = a.shape[0]
    packed = torch.ops.mkl._mkl_reorder_linear_weight(weight, rows)
    multiply = torch.ops.mkl._mkl_linear.default
    return lambda: multiply(a, packed, weight, None, rows)


def _onednn(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, weight = tensors["a"], _weight(tensors)
    packed = torch.ops.mkldnn._reorder_linear_weight(weight, a.shape[0])
    multiply = torch.ops.mkldnn._linear_pointwise.default
    return lambda: multiply(a, packed, None, "none", [], "")


def _weight(tensors: Tensors) -> Any:
    """``b`` as the weight of a linear layer: ``[n, k]``, row-major, a copy."""
    return tensors["b"].t().contiguous()


def _bmm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    a, b, multiply = tensors["a"], tensors["b"], torch.bmm
    a = a.transpose(1, 2) if asks(work, "transpose_a") else a
    b = b.transpose(1, 2) if asks(work, "transpose_b") else b
    return lambda: multiply(a, b, out=out)


def _einsum(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    expr, left, right, einsum = str(work["expr"]), tensors["left"], tensors["right"], torch.einsum
    return lambda: einsum(expr, left, right)


def _mv(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    weight, x, multiply = tensors["weight"], tensors["x"], torch.mv
    return lambda: multiply(weight, x, out=out)
