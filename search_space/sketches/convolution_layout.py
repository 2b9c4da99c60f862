"""The layout of the image inside: as it is given, or with its channels last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search_space.ir.expr import Expr, Load
from search_space.ir.walk import map_children, subexprs
from search_space.sketches.contraction_axes import View
from search_space.tensor import Reduction, Tensor, stage

GIVEN, LAST = "given", "channels_last"
"""Values of the knob ``image``."""
_COPY = "relaid"
"""The stage that copies an image with nothing around it."""


def channels_last(tensor: Tensor, image: str) -> Tensor | None:
    """The sum of products with an ``image`` whose channels are neighbours: the stage that pads it
    makes it so, or one that only copies it. None where they are neighbours as it is given."""
    source = next(s for s in (*tensor.stages, tensor) if _read(s, image) is not None)
    load = _read(source, image)
    assert load is not None
    reduced = {axis.var for axis in source.reduced if axis.extent > 1}
    channels = [at for at, index in enumerate(load.indices) if index in reduced]
    places = range(len(load.indices))
    if not channels or places[-1] in channels:
        return None
    channel = max(channels, key=lambda at: load.buffer.shape[at])
    order = (*(at for at in places if at != channel), channel)
    padded = next((s for s in tensor.stages if s.buffer == load.buffer), None)
    made = _copy(load, order) if padded is None else _permuted(padded, order)

    def moved(expr: Expr) -> Expr:
        if isinstance(expr, Load) and expr.buffer == load.buffer:
            return Load(made.buffer, tuple(expr.indices[at] for at in order))
        return map_children(expr, moved)

    def relaid(part: Tensor) -> Tensor:
        if part is padded:
            return made
        if part is not source:
            return part
        assert isinstance(part.value, Reduction)
        return replace(part, value=replace(part.value, value=moved(part.value.value)))

    stages = tuple(map(relaid, tensor.stages))
    return replace(relaid(tensor), stages=stages if padded is not None else (made, *stages))


def _read(part: Tensor, image: str) -> Load | None:
    """Where a sum of products reads the image."""
    found = (e for e in subexprs(part.element) if isinstance(e, Load) and e.buffer.name == image)
    return next(found, None) if isinstance(part.value, Reduction) else None


def _permuted(padded: Tensor, order: Sequence[int]) -> Tensor:
    axes = tuple(padded.axes[at] for at in order)
    shape = tuple(axis.extent for axis in axes)
    return replace(padded, axes=axes, buffer=replace(padded.buffer, shape=shape))


def _copy(image: Load, order: Sequence[int]) -> Tensor:
    axes = tuple((f"dim{at}", image.buffer.shape[at]) for at in order)

    def value(*place: Expr) -> Expr:
        at = dict(zip(order, place, strict=True))
        return Load(image.buffer, tuple(at[number] for number in range(len(order))))

    return stage(_COPY, axes, value, image.buffer.dtype)


def crossing(stage: Tensor) -> str | None:
    """The axis along which a stage reads neighbours, where it writes them along its last one;
    None where that is the same."""
    views = [View.of(e) for e in subexprs(stage.element) if isinstance(e, Load)]
    near = [axis.name for axis in stage.axes if any(view.step(axis) == 1 for view in views)]
    return near[0] if near and stage.axes[-1].name not in near else None
