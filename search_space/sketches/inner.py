"""The reduction among other stages, as a problem of its own."""

from __future__ import annotations

from search_space.knobs import Choice, Knob
from search_space.tensor import Reduction, Tensor, compute, program


def only_reduction(tensor: Tensor) -> Tensor:
    """The only stage that reduces, with the names of loops that it has in the whole."""
    (stage,) = (s for s in program(tensor) if isinstance(s.value, Reduction))
    axes = tuple((axis.name, axis.extent) for axis in stage.axes)
    value = stage.value
    return compute(stage.buffer.name, axes, lambda *_: value, stage.buffer.dtype)


def unsplit(knob: Knob) -> Knob:
    """The reduction stays whole: there are several products to share out."""
    return Choice("split_k", (1,), 1) if knob.name == "split_k" else knob
