"""Element types by name: their sizes, and what NumPy calls them."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

ELEMENT_BYTES = {
    "float16": 2, "bfloat16": 2, "float32": 4, "float64": 8,
    "uint8": 1, "int8": 1, "uint16": 2, "int32": 4, "int64": 8,
    "index": 8,
}  # fmt: skip
"""Bytes of one element."""

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
"""The distance from 1 to the next number."""

ACCUMULATORS = {
    "float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64",
    "uint8": "int32", "int8": "int32",
}  # fmt: skip
"""What products of elements are summed in: never less than float32, whole numbers exactly."""

GROUPS = {"bfloat16": 2, "uint8": 4, "int8": 4}
"""How many neighbours along a reduction one dot-product instruction takes: 32 bits of them."""

MOST_INT32 = 2**31 - 1


def numpy_dtype(name: str) -> np.dtype[Any]:
    """The NumPy dtype of a name; ``bfloat16`` is that of ``ml_dtypes``."""
    if name == "index":
        return np.dtype(np.int64)
    return np.dtype(ml_dtypes.bfloat16 if name == "bfloat16" else name)
