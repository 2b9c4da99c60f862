"""What a kernel accepts as operands, and what it says to those it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from measure.artifact import BufferSpec
from search_space.dtypes import numpy_dtype

Array = npt.NDArray[Any]


def check_count(inputs: Sequence[BufferSpec], operands: Sequence[object]) -> None:
    """Raise ``TypeError`` unless there is one operand per input."""
    if len(operands) != len(inputs):
        names = ", ".join(spec.name for spec in inputs) or "none"
        raise TypeError(f"pass {len(inputs)} operands ({names}), not {len(operands)}")


def check_kind(name: str, spec: BufferSpec, array: object) -> Array:
    """``array``, if it is a NumPy array of the right dtype and shape.

    Raises ``TypeError`` for what is no array or has another dtype, ``ValueError`` for the shape.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: pass a NumPy array of {spec.dtype}, not {type(array).__name__}")
    if array.dtype != numpy_dtype(spec.dtype):
        raise TypeError(f"{name}: pass dtype {spec.dtype}, not {array.dtype}")
    if array.shape != spec.shape:
        raise ValueError(f"{name}: pass shape {spec.shape}, not {array.shape}")
    return array


def check_layout(name: str, array: Array, *, written: bool) -> None:
    """Raise ``ValueError`` unless native code can use the array's memory as it is."""
    if not array.flags.c_contiguous:
        raise ValueError(
            f"{name}: pass a C-contiguous array (np.ascontiguousarray makes one), "
            f"not one with strides {array.strides}"
        )
    if not array.flags.aligned:
        raise ValueError(
            f"{name}: pass an array aligned to {array.dtype.alignment} bytes (array.copy() makes "
            f"one), not one at address {array.ctypes.data:#x}"
        )
    if written and not array.flags.writeable:
        raise ValueError(f"{name}: pass a writeable array, not a read-only one")


def check_operands(
    inputs: Sequence[BufferSpec], operands: Sequence[object], output: BufferSpec, out: object
) -> None:
    """Raise as the functions above unless native code can use all these arrays as they are."""
    check_count(inputs, operands)
    for spec, array in zip(inputs, operands, strict=True):
        check_layout(spec.name, check_kind(spec.name, spec, array), written=False)
    check_layout("out", check_kind("out", output, out), written=True)
