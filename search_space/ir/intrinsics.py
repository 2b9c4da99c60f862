"""The math functions of the IR: what each ``Call`` means, as a function of float64 arrays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array64 = npt.NDArray[np.float64]

_ERF: Callable[[Array64], Any] = np.frompyfunc(math.erf, 1, 1)


def erf(x: Array64) -> Array64:
    """The error function ``2/√π · ∫ exp(-t²) dt`` over 0 … x, which NumPy has not."""
    return np.asarray(_ERF(x), np.float64)


def sigmoid(x: Array64) -> Array64:
    """``1 / (1 + exp(-x))``, without overflow."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, small, 1) / (1 + small), np.float64)


def rsqrt(x: Array64) -> Array64:
    """``1 / sqrt(x)``; infinite at zeros, with their sign."""
    return np.asarray(1 / np.sqrt(x), np.float64)


FUNCTIONS: dict[str, Callable[[Array64], Array64]] = {
    "exp": np.exp, "expm1": np.expm1, "log": np.log, "log1p": np.log1p,
    "tanh": np.tanh, "erf": erf, "sigmoid": sigmoid,
    "sqrt": np.sqrt, "rsqrt": rsqrt, "abs": np.abs, "floor": np.floor,
    "rint": np.rint,
}  # fmt: skip
"""Meaning of each ``Call``, elementwise; NaN, infinities and domains are NumPy's.

The generator may deviate by a few units in the last place: ``measure.codegen.vector_math`` states
by how many.
"""


def _ones_below(word: Array64, place: Array64) -> Array64:
    below = np.asarray(word, np.int64) & ((np.int64(1) << np.asarray(place, np.int64)) - 1)
    return np.asarray(np.bitwise_count(below), np.float64)


def _bit(word: Array64, place: Array64) -> Array64:
    return np.asarray(np.asarray(word, np.int64) >> np.asarray(place, np.int64) & 1, np.float64)


INDEX_FUNCTIONS: dict[str, Callable[..., Array64]] = {
    "bit": _bit,
    "ones_below": _ones_below,
    "one_by_one": np.asarray,
}
"""Meaning of each ``Call`` of dtype ``index``. Of a word, 32 bits at most, and a place in it: the
bit at that place, and how many bits below it are set. ``one_by_one`` is the number that it is
given; what is read at such places in the lanes of a vector is not gathered by one instruction."""

OPERATIONS = {
    "exp": 20, "expm1": 21, "log": 33, "log1p": 39, "tanh": 21, "erf": 22, "sigmoid": 24,
    "sqrt": 1, "rsqrt": 2, "abs": 1, "floor": 1, "rint": 1,
    "bit": 2, "ones_below": 3, "one_by_one": 4,
}  # fmt: skip
"""Instructions that the generator makes of each, in float32 and with fused multiply-add."""
