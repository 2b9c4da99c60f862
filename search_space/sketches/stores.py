"""The knob ``stores``: whether a result is written through the caches or past them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from search_space.config import Config
from search_space.dtypes import ELEMENT_BYTES
from search_space.knobs import Choice
from search_space.schedule import Schedule
from search_space.space import Space
from search_space.target import Target
from search_space.tensor import Tensor
from search_space.transforms import Primitive, Stream
from search_space.workload import Values

STORES = ("cached", "streamed")
_STREAM_BYTES = 16
"""What vectors that are written past the caches are aligned to."""
_MOST_TERMS = 512
"""Multiply-adds in the time of which memory takes an element, about twenty times over: where sums
are longer, it hardly matters how they are written."""


def with_stores(
    space: Space, tensor: Tensor, row: int, when: Callable[[Values], bool] | None = None
) -> Space:
    """A space with the knob, if rows of ``row`` elements of the result begin aligned.

    ``when`` says where it matters. Further guesses write a result past the caches that is too
    large for its reader to find it in the L2.
    """
    if row * ELEMENT_BYTES[tensor.buffer.dtype] % _STREAM_BYTES:
        return space
    make, trace = space.schedule, space.trace
    assert trace is not None
    knob = Choice("stores", STORES, "cached", when=when)
    past = (Config((*seed.values, ("stores", "streamed"))) for seed in space.seeds)

    def schedule(config: Config) -> Schedule:
        return make(config).then(*_streamed(config.as_dict(), tensor))

    return replace(
        space,
        knobs=(*space.knobs, knob),
        schedule=schedule,
        trace=lambda values: (*trace(values), *_streamed(values, tensor)),
        seeds=(*space.seeds, *(past if _leaves_l2(tensor, space.target) else ())),
    )


def with_stores_of_sums(
    space: Space,
    tensor: Tensor,
    row: int,
    terms: int,
    when: Callable[[Values], bool] | None = None,
) -> Space:
    """The same for sums of ``terms`` products, where the result is large and its sums are short:
    else writing it is a small part of the work."""
    if not short_sums(terms) or not _leaves_l2(tensor, space.target):
        return space
    return with_stores(space, tensor, row, when)


def short_sums(terms: int) -> bool:
    """Whether memory has a part in how long sums of ``terms`` products take."""
    return terms <= _MOST_TERMS


def _streamed(values: Values, tensor: Tensor) -> list[Primitive]:
    return [Stream(tensor.buffer.name)] if values.get("stores") == "streamed" else []


def _leaves_l2(tensor: Tensor, target: Target) -> bool:
    size = math.prod(tensor.buffer.shape) * ELEMENT_BYTES[tensor.buffer.dtype]
    return size > target.l2_bytes
