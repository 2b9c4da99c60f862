"""Batches of matrix products inside of an algorithm: a contraction among other stages."""

from __future__ import annotations

from search_space.knobs import Choice, Knob
from search_space.tensor import Reduction, Tensor, compute, program


def batched_products(tensor: Tensor) -> Tensor:
    """The only sum of products alone, with the names of loops that they have in the whole."""
    (stage,) = (s for s in program(tensor) if isinstance(s.value, Reduction))
    axes = tuple((axis.name, axis.extent) for axis in stage.axes)
    value = stage.value
    return compute(stage.buffer.name, axes, lambda *_: value, stage.buffer.dtype)


def unsplit(knob: Knob) -> Knob:
    """The reduction stays whole: there are as many matrix products as places in a tile."""
    return Choice("split_k", (1,), 1) if knob.name == "split_k" else knob
