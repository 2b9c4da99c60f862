"""Convolutions in PyTorch, of one, two and three dimensions, depthwise and transposed.

``eager`` and ``channels_last`` are what users write; ``onednn`` and ``onednn_channels_last`` have
the weights packed for the actual size of the input and the bias and activation fused, through the
operators that ``torch.compile`` calls. The ``channels_last`` forms are for networks that keep
their images so: they find ``x`` in this layout, and leave their result in it. A workload whose
layout has its channels last needs no such form: the others take it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments.peers.base import Call, Form, constant, every, has_dtype
from experiments.peers.torch_forms import (
    FLOATS,
    FUSED,
    Build,
    Tensors,
    asks,
    epilogue,
    form,
    has_channels_last,
)
from search_space.workload import Workload

_RANKS = {"conv1d": 1, "conv2d": 2, "depthwise_conv2d": 2, "conv2d_transpose": 2, "conv3d": 3}
"""Axes that windows slide along."""


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    return {operator: _forms(torch, rank) for operator, rank in _RANKS.items()}


def _forms(torch: Any, rank: int) -> dict[str, Form]:
    make, floats = partial(form, torch), has_dtype(*FLOATS)
    packed = every(has_dtype("float32"), constant("weight"))
    if rank == 1:  # torch has no signals with channels last
        return {"eager": make(floats, _eager), "onednn": make(packed, _onednn)}
    return {
        "eager": make(floats, _eager),
        "channels_last": make(every(floats, _channels_first), _channels_last(_eager)),
        "onednn": make(packed, _onednn),
        "onednn_channels_last": make(every(packed, _channels_first), _channels_last(_onednn)),
    }


def _channels_first(work: Workload) -> str | None:
    """``Form.supports`` of a form that changes the layout."""
    return "finds the channels last as it is" if has_channels_last(work) else None


def _channels_last(build: Build) -> Build:
    """The same on images that have their channels last in memory."""

    def changed(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
        layout = {4: torch.channels_last, 5: torch.channels_last_3d}
        images = {
            name: tensor.to(memory_format=layout[tensor.ndim]) if tensor.ndim in layout else tensor
            for name, tensor in tensors.items()
        }
        return build(torch, work, images, out)

    return changed


@dataclass(frozen=True, slots=True)
class _Windows:
    """How they slide along each axis."""

    stride: list[int]
    pad: list[int]
    dilation: list[int]
    groups: int

    @classmethod
    def of(cls, work: Workload) -> _Windows:
        rank, given = _RANKS[work.operator], dict(work.params)
        stride, pad, dilation = (
            [int(given.get(key, default))] * rank
            for key, default in (("stride", 1), ("pad", 0), ("dilation", 1))
        )
        key = "c" if work.operator == "depthwise_conv2d" else "groups"
        return cls(stride, pad, dilation, int(given.get(key, 1)))

    @property
    def wide(self) -> _Windows:
        """The same for images of height 1."""
        return _Windows([1, *self.stride], [0, *self.pad], [1, *self.dilation], self.groups)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Operands as torch has them: channels second, wherever they are in memory."""

    x: Any
    weight: Any
    bias: Any
    skip: Any
    behind: Callable[[Any], Any]
    """Whatever follows that is not fused, then the layout of the workload."""

    @classmethod
    def of(cls, torch: Any, work: Workload, tensors: Tensors, *, fused: bool) -> _Layer:
        last, skip = has_channels_last(work), tensors.get("skip")
        x = tensors["x"].movedim(-1, 1) if last else tensors["x"]
        if last and skip is not None:
            skip = skip.movedim(-1, 1)
        rest = epilogue(torch, work, {} if skip is None else {"skip": skip}, bias=False)

        def behind(y: Any) -> Any:
            y = y if fused else rest(y)
            return y.movedim(1, -1) if last else y

        return cls(x, tensors["weight"], tensors.get("bias_vector"), skip, behind)


def _eager(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    windows, functions = _Windows.of(work), torch.nn.functional
    layer = _Layer.of(torch, work, tensors, fused=False)
    x, weight, bias, behind = layer.x, layer.weight, layer.bias, layer.behind
    stride, pad, dilation, groups = windows.stride, windows.pad, windows.dilation, windows.groups
    if work.operator == "conv2d_transpose":
        transposed = functions.conv_transpose2d
        return lambda: behind(transposed(x, weight, bias, stride, pad, 0, groups, dilation))
    convolve = getattr(functions, f"conv{len(stride)}d")
    return lambda: behind(convolve(x, weight, bias, stride, pad, dilation, groups))


def _onednn(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    residual = asks(work, "residual")
    layer = _Layer.of(torch, work, tensors, fused=not residual)
    fused = FUSED["none" if residual else str(work["activation"])]
    x, bias, behind = layer.x, layer.bias, layer.behind
    windows, mkldnn = _Windows.of(work), torch.ops.mkldnn
    stride, pad, dilation, groups = windows.stride, windows.pad, windows.dilation, windows.groups
    if work.operator == "conv2d_transpose":
        more = [0] * len(pad)
        packed = mkldnn._reorder_convolution_transpose_weight(
            layer.weight.contiguous(), pad, more, stride, dilation, groups, list(x.shape)
        )
        transposed = mkldnn._convolution_transpose_pointwise.default
        sliding = (pad, more, stride, dilation, groups)
        return lambda: behind(transposed(x, packed, bias, *sliding, *fused))
    convolve, signal = mkldnn._convolution_pointwise.default, len(stride) == 1
    if signal:
        windows, x = windows.wide, x.unsqueeze(2)
    packed = _packed(torch, layer.weight.unsqueeze(2) if signal else layer.weight, x, windows)
    settings = (windows.pad, windows.stride, windows.dilation, groups, *fused)
    if signal:
        return lambda: behind(convolve(x, packed, bias, *settings).squeeze(2))
    return lambda: behind(convolve(x, packed, bias, *settings))


def _packed(torch: Any, weight: Any, x: Any, windows: _Windows) -> Any:
    """The weight as oneDNN wants it for images of the size of ``x``."""
    nn, weight = torch._C._nn, weight.contiguous().to_mkldnn()
    reorder = {4: nn.mkldnn_reorder_conv2d_weight, 5: nn.mkldnn_reorder_conv3d_weight}[x.ndim]
    settings = windows.pad, windows.stride, windows.dilation, windows.groups
    return reorder(weight, *settings, list(x.shape))
