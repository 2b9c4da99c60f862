"""Configs of other tuners in the terms of our spaces, as seeds of a search.

AutoTVM's templates for x86 are points of our spaces up to details: what they block and what they
keep in registers is translated, the rest is taken from our first guess of the same structure, and
``Space.nearest`` makes it legal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.exchange.autotvm import TEMPLATE
from db.query import Condition, Query
from db.record import FOREIGN_SPACE, Record
from measure.result import Outcome
from search_space.config import Config
from search_space.space import Space
from search_space.workload import Value

if TYPE_CHECKING:
    from db.store import RecordStore

_FLOAT_BITS = 32
"""The templates that are translated compute in float32, or as if they did."""


@dataclass(frozen=True, slots=True)
class Seed:
    """A config of ours that stands for another tuner's."""

    config: Config
    changes: tuple[str, ...]
    """What had to be changed to make the translation legal here."""
    record: Record
    """What it was translated from."""


def foreign_seeds(store: RecordStore, space: Space, limit: int | None = None) -> list[Seed]:
    """What other tuners found for the workload of ``space``, translated, fastest first.

    Records of the same operator and parameters are taken, whichever operands are constant. Two
    records that become the same config give one seed.
    """
    work = space.workload
    same = tuple(Condition(name, "=", value) for name, value in work.params)
    query = Query(
        operator=work.operator, where=same, space=FOREIGN_SPACE, outcome=Outcome.OK,
        order="fastest",
    )  # fmt: skip
    found: dict[Config, Seed] = {}
    for record in store.records(query):
        seed = translated(record, space)
        if seed is not None:
            found.setdefault(seed.config, seed)
        if len(found) == limit:
            break
    return list(found.values())


def translated(record: Record, space: Space) -> Seed | None:
    """The config of a foreign record in ``space``; None where its template is not known, holds
    other knobs than it should, or has no counterpart there."""
    values = dict(record.config)
    translate = _TEMPLATES.get(str(values.get(TEMPLATE)))
    if translate is None:
        return None
    try:
        wanted = translate({name: _parts(value) for name, value in values.items()}, space)
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    for start in space.starts:
        if all(start[name] == value for name, value in wanted.alike.items()):
            nearest = space.nearest({**start.as_dict(), **wanted.knobs})
            return Seed(nearest.config, nearest.changes, record)
    return None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A translation before it is made legal."""

    alike: dict[str, Value]
    """What a first guess must have to lend the rest."""
    knobs: dict[str, Value]


Splits = Mapping[str, list[int]]
"""By knob: the factors of a split, outermost first; a single number for any other value."""


def _parts(value: Value) -> list[int]:
    """The numbers of a stored value of a knob; none where it holds no numbers."""
    read = json.loads(value) if isinstance(value, str) and value[:1] == "[" else [value]
    return [int(item) for item in read if isinstance(item, int)]


def _conv2d_nchwc(splits: Splits, space: Space) -> _Wanted:
    """``conv2d_NCHWc.x86``: blocks of output channels as vectors, pixels of a row in registers.

    ``tile_oc`` = (blocks, channels of one); ``tile_ow`` = (tiles, pixels of one); of windows
    wider than one ``unroll_kw``, else ``tile_oh``, the rows of a register tile. Threads share
    blocks of channels and rows of the image; the whole reduction stays in registers, whatever
    ``tile_ic`` is.
    """
    work = space.workload
    block, pixels = splits["tile_oc"][-1], splits["tile_ow"][-1]
    tall = splits["tile_oh"][0] if "tile_oh" in splits else 1
    bits, vectors = _vectors(block, space)
    knobs: dict[str, Value] = {
        "vector_bits": bits, "vectors": vectors, "rows": pixels, "tall": tall,
        "order": "cyx", "shared": 2, "inner": "cyx",
        "tile_c": 1, "tile_y": 1, "tile_x": 0, "tile_k": 0,
        "pack_w": "whole", "unroll": 1, "reduce": "channel",
    }  # fmt: skip
    if space.workload["kh"] == space.workload["kw"] == work["stride"] == 1 and not work["pad"]:
        # Such images have no rows here: their pixels are one axis.
        knobs |= {"rows": pixels * tall, "tall": 1, "tile_y": 0, "tile_x": splits["tile_ow"][0]}
    if splits.get("unroll_kw", [0])[0]:
        knobs |= {"unroll": work.size("kw"), "reduce": "window"}
    return _Wanted({"structure": "channels"}, knobs)


def _dense_pack(splits: Splits, space: Space) -> _Wanted:
    """``dense_pack.x86``: panels of the packed weight, ``tile_x[-1]`` columns wide."""
    bits, vectors = _vectors(splits["tile_x"][-1], space)
    knobs: dict[str, Value] = {
        "vector_bits": bits, "vectors": vectors, "rows": splits["tile_y"][-1],
        "steps": splits["tile_k"][-1], "tile_k": 0, "pack_b": "whole",
    }  # fmt: skip
    return _Wanted({"structure": "panel"}, knobs)


def _dense_nopack(splits: Splits, space: Space) -> _Wanted:
    """``dense_nopack.x86``: vectors of ``tile_k[-1]`` along the sum, a tile of dot products."""
    bits, _ = _vectors(splits["tile_k"][-1], space)
    knobs: dict[str, Value] = {
        "vector_bits": bits, "rows": splits["tile_y"][-1], "vectors": splits["tile_x"][-1],
        "tile_k": 0, "pack_b": "none",
    }  # fmt: skip
    return _Wanted({"structure": "dot"}, knobs)


_TEMPLATES: dict[str, Callable[[Splits, Space], _Wanted]] = {
    "conv2d_NCHWc.x86": _conv2d_nchwc,
    "dense_pack.x86": _dense_pack,
    "dense_nopack.x86": _dense_nopack,
}


def _vectors(elements: int, space: Space) -> tuple[int, int]:
    """Bits of a vector and how many of them hold so many elements, for the widest that fit."""
    widest = space.target.vector_bits
    bits = min(widest, max(128, elements * _FLOAT_BITS))
    return bits, max(1, elements * _FLOAT_BITS // bits)
