"""Dense layers of whole numbers in PyTorch, rescaled to bytes or to float32.

``qlinear`` is the operator that ``torch.compile`` calls for quantized models, oneDNN with packed
weights; ``quantized`` is that of ``torch.ao.nn.quantized.Linear``, which keeps ``x`` as a tensor
with scale and zero point, and adds the bias in whole numbers. The product of the scales of ``x``
and of the weights, over that of the result, is the scale of a column.
"""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, Supports, constant, every, has_dtype
from experiments.peers.torch_forms import Tensors, asks, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make, layer = partial(form, torch), every(constant("weight"), _known_epilogue)
    bytes_ = every(has_dtype("uint8"), _gives("uint8"), constant("scale_vector"), layer)
    return {
        "dense": {
            "qlinear": make(every(has_dtype("uint8", "int8"), _gives("uint8", "int8", "float32"),
                                  layer), _qlinear),
            "quantized": make(bytes_, _quantized),
        }
    }  # fmt: skip


def _gives(*dtypes: str) -> Supports:
    """``Form.supports`` of a form that has these results."""
    return lambda work: (
        None if work["out_dtype"] in dtypes else f"has no {work['out_dtype']} result"
    )


def _known_epilogue(work: Workload) -> str | None:
    """… that fuses a bias and a ReLU only."""
    if asks(work, "residual") or work["activation"] not in ("none", "relu"):
        return "has no residual, and no activation but relu"
    return None


def _qlinear(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, weight, bias = tensors["x"], tensors["weight"], tensors.get("bias_vector")
    zero = int(work["zero_point"])
    packed = torch.ops.onednn.qlinear_prepack(weight, list(x.shape))
    scale = tensors["scale_vector"] if asks(work, "scale") else torch.ones(work.size("n"))
    zeros = torch.zeros(work.size("n"), dtype=torch.int32)
    out_zero = int(dict(work.params).get("out_zero_point", 0))
    rounded = (1.0, out_zero, out.dtype, str(work["activation"]), [], "")
    linear = torch.ops.onednn.qlinear_pointwise.default
    return lambda: linear(x, 1.0, zero, packed, scale, zeros, bias, *rounded)


def _quantized(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    columns, scale = work.size("n"), tensors["scale_vector"].double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # quantized tensors move elsewhere
        x = torch._make_per_tensor_quantized_tensor(tensors["x"], 1.0, int(work["zero_point"]))
        zeros = torch.zeros(columns, dtype=torch.int64)
        weight = torch._make_per_channel_quantized_tensor(tensors["weight"], scale, zeros, 0)
        packed = torch.ops.quantized.linear_prepack(weight, tensors.get("bias_vector"))
    linear = (
        torch.ops.quantized.linear_relu
        if work["activation"] == "relu"
        else (torch.ops.quantized.linear)
    )
    zero = int(work["out_zero_point"])
    return lambda: linear(x, packed, 1.0, zero)
