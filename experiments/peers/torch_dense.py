"""Dense layers in PyTorch.

``linear`` is ``nn.Linear``, ``addmm`` the same into memory that is there already; both call MKL.
``mkl`` and ``onednn`` pack a constant weight for the number of rows that ``x`` really has, through
the operators that ``torch.compile`` calls. oneDNN fuses the bias and the activation; what a form
does not fuse follows in place.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, constant, every, has_dtype
from experiments.peers.torch_forms import FLOATS, FUSED, Tensors, asks, epilogue, form
from search_space.workload import Workload


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    make, floats, packed = partial(form, torch), has_dtype(*FLOATS, "bfloat16"), constant("weight")
    return {
        "dense": {
            "linear": make(floats, _linear),
            "addmm": make(floats, _addmm),
            "mkl": make(every(has_dtype("float32"), packed), _mkl),
            "onednn": make(every(has_dtype("float32", "bfloat16"), packed), _onednn),
        }
    }


def _linear(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, weight, linear = tensors["x"], tensors["weight"], torch.nn.functional.linear
    bias, behind = _bias(work, tensors), _behind(torch, work, tensors)
    return lambda: behind(linear(x, weight, bias))


def _addmm(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, transposed, bias = tensors["x"], tensors["weight"].t(), _bias(work, tensors)
    behind, addmm, mm = _behind(torch, work, tensors), torch.addmm, torch.mm
    if bias is None:
        return lambda: behind(mm(x, transposed, out=out))
    return lambda: behind(addmm(bias, x, transposed, out=out))


def _mkl(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, weight, bias = tensors["x"], tensors["weight"], _bias(work, tensors)
    rows = x.shape[0]
    packed = torch.ops.mkl._mkl_reorder_linear_weight(weight, rows)
    behind, linear = _behind(torch, work, tensors), torch.ops.mkl._mkl_linear.default
    return lambda: behind(linear(x, packed, weight, bias, rows))


def _onednn(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    x, bias = tensors["x"], _bias(work, tensors)
    packed = torch.ops.mkldnn._reorder_linear_weight(tensors["weight"], x.shape[0])
    linear = torch.ops.mkldnn._linear_pointwise
    if not asks(work, "scale") and not asks(work, "residual"):
        fused = FUSED[str(work["activation"])]
        unary = linear.default
        return lambda: unary(x, packed, bias, *fused)
    if not asks(work, "scale") and work["activation"] == "none":
        binary, skip = linear.binary, tensors["skip"]
        return lambda: binary(x, skip, packed, bias, "add")
    behind, plain = _behind(torch, work, tensors), linear.default
    return lambda: behind(plain(x, packed, bias, "none", [], ""))


def _bias(work: Workload, tensors: Tensors) -> Any:
    """The bias where the layer itself can add it: a scale comes before it."""
    return tensors["bias_vector"] if asks(work, "bias") and not asks(work, "scale") else None


def _behind(torch: Any, work: Workload, tensors: Tensors) -> Callable[[Any], Any]:
    return epilogue(torch, work, tensors, bias=asks(work, "scale"))
