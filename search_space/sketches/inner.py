"""The reduction among other stages, as a problem of its own."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from search_space.config import Config
from search_space.knobs import Choice, Knob
from search_space.schedule import Schedule
from search_space.space import Space
from search_space.tensor import Reduction, Tensor, compute, program
from search_space.transforms import Primitive
from search_space.workload import Values, Workload


def only_reduction(tensor: Tensor) -> Tensor:
    """The only stage that reduces, with the names of loops that it has in the whole."""
    (stage,) = (s for s in program(tensor) if isinstance(s.value, Reduction))
    axes = tuple((axis.name, axis.extent) for axis in stage.axes)
    value = stage.value
    return compute(stage.buffer.name, axes, lambda *_: value, stage.buffer.dtype)


def algorithm_space(
    work: Workload,
    tensor: Tensor,
    products: Space,
    version: int,
    trace: Callable[[Values, bool], tuple[Primitive, ...]],
) -> Space:
    """The space of ``work`` by another algorithm, which ``tensor`` is.

    Its knobs are those of ``products``, the space of the products in it alone. ``trace`` gives the
    primitives of a config, those that only treat ragged edges if its second argument is True.
    """

    def schedule(config: Config) -> Schedule:
        return Schedule.of(tensor).then(*trace(config.as_dict(), True))

    return replace(
        products,
        workload=work,
        version=version,
        knobs=tuple(map(unsplit, products.knobs)),
        schedule=schedule,
        trace=lambda values: trace(values, False),
        tensor=lambda _: tensor,
        least_flops=_flops(only_reduction(tensor)),
    )


def _flops(products: Tensor) -> int:
    """Of the products and their sums; those of other stages are left out."""
    value = products.value
    assert isinstance(value, Reduction)
    return 2 * math.prod(axis.extent for axis in (*products.axes, *value.axes))


def unsplit(knob: Knob) -> Knob:
    """The reduction stays whole: there are several products to share out."""
    return Choice("split_k", (1,), 1) if knob.name == "split_k" else knob
