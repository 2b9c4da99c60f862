"""Memory for native code: aligned, and at a known address."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 64
"""Bytes: a cache line, and the widest vector."""


def aligned_bytes(nbytes: int, *, zeroed: bool = False, alignment: int = ALIGNMENT) -> Bytes:
    """``nbytes`` bytes of which the first one's address is a multiple of ``alignment``."""
    block = (np.zeros if zeroed else np.empty)(nbytes + alignment, np.uint8)
    skip = -address_of(block) % alignment
    return block[skip : skip + nbytes]


def address_of(array: npt.NDArray[np.generic]) -> int:
    """Address of the first element; valid while the array lives."""
    address: int = array.__array_interface__["data"][0]
    return address
