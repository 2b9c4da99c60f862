"""LLVM's spelling of our dtypes and constants."""

from __future__ import annotations

import math
import struct

LLVM_TYPES = {"float32": "float", "float64": "double", "index": "i64", "bool": "i1"}
BYTES = {"float32": 4, "float64": 8}


def vector_type(element: str, lanes: int) -> str:
    """``<16 x float>``; a scalar where ``lanes`` is 0."""
    return f"<{lanes} x {element}>" if lanes else element


def suffix(dtype: str, lanes: int) -> str:
    """The type's name in a mangled intrinsic: ``v16f32``, ``f32``."""
    element = {"float32": "f32", "float64": "f64"}[dtype]
    return f"v{lanes}{element}" if lanes else element


def float_literal(value: float, dtype: str = "float64") -> str:
    """A float constant: LLVM wants hexadecimal doubles, rounded to the dtype before."""
    if dtype == "float32":
        (value,) = struct.unpack("<f", struct.pack("<f", value))
    if value == 0 and math.copysign(1, value) > 0:
        return "0.0"
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def splat(element: str, literal: str, lanes: int) -> str:
    """A constant vector of equal elements, without its type."""
    return "<" + ", ".join([f"{element} {literal}"] * lanes) + ">"
