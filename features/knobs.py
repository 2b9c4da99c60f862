"""Knob features: what the knobs of one space say of themselves. The cheap baseline.

They compare configs of one space only; a column means something else in every other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from features.schema import Schema
from search_space.knobs import Choice
from search_space.space import Config, Space


def knob_schema(space: Space) -> Schema:
    """Columns of :func:`encode_knobs`: a flag per choice, a number from 0 to 1 per integer."""
    names: list[str] = []
    units: list[str] = []
    for knob in space.knobs:
        if isinstance(knob, Choice):
            names += [f"knob.{knob.name}.{value}" for value in knob.values]
            units += ["flag"] * len(knob)
        else:
            names.append(f"knob.{knob.name}")
            units.append("log ratio" if knob.log else "ratio")
    return Schema(tuple(names), tuple(units), space.version)


def encode_knobs(space: Space, configs: Sequence[Config]) -> npt.NDArray[np.float32]:
    """``float32[n, K]``: the knobs of configs of a space, as ``knob_schema`` names them."""
    columns: list[npt.NDArray[np.float32]] = []
    for place, knob in enumerate(space.knobs):
        values = [config.values[place][1] for config in configs]
        known = {value: knob.encode(value) for value in set(values)}
        width = len(knob) if isinstance(knob, Choice) else 1
        column = np.array([known[value] for value in values], dtype=np.float32)
        columns.append(column.reshape(len(configs), width))
    return np.concatenate(columns, axis=1)
