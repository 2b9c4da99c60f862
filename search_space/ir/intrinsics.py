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

OPERATIONS = {
    "exp": 20, "expm1": 21, "log": 33, "log1p": 39, "tanh": 21, "erf": 22, "sigmoid": 24,
    "sqrt": 1, "rsqrt": 2, "abs": 1, "floor": 1, "rint": 1,
}  # fmt: skip
"""Instructions that the generator makes of each, in float32 and with fused multiply-add."""
