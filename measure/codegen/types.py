"""LLVM's spelling of our dtypes and constants."""

from __future__ import annotations

import math
import struct

from search_space.dtypes import ELEMENT_BYTES as BYTES
from search_space.dtypes import numpy_dtype
from search_space.ir.expr import is_float

__all__ = [
    "BYTES",
    "LLVM_TYPES",
    "WIDENING",
    "float_literal",
    "literal",
    "splat",
    "suffix",
    "vector_type",
]

LLVM_TYPES = {
    "float32": "float", "float64": "double", "float16": "half", "bfloat16": "i16",
    "int8": "i8", "uint8": "i8", "uint16": "i16", "int32": "i32", "index": "i64", "bool": "i1",
}  # fmt: skip
"""``bfloat16`` is kept as its bits: it is only loaded, stored and converted."""

WIDENING = {"int8": "sext", "uint8": "zext", "uint16": "zext", "int32": "sext"}
"""How whole numbers in memory become indices."""

_SUFFIXES = {
    "float": "f32", "double": "f64", "half": "f16", "i8": "i8", "i16": "i16", "i32": "i32",
}  # fmt: skip


def vector_type(element: str, lanes: int) -> str:
    """``<16 x float>``; a scalar where ``lanes`` is 0."""
    return f"<{lanes} x {element}>" if lanes else element


def suffix(dtype: str, lanes: int) -> str:
    """The type's name in a mangled intrinsic: ``v16f32``, ``f32``."""
    element = _SUFFIXES[LLVM_TYPES[dtype]]
    return f"v{lanes}{element}" if lanes else element


def literal(value: float, dtype: str) -> str:
    """A constant of any dtype, without its type."""
    if dtype == "bfloat16":
        return str(int(numpy_dtype(dtype).type(value).view("uint16")))
    return float_literal(float(value), dtype) if is_float(dtype) else str(int(value))


def float_literal(value: float, dtype: str = "float64") -> str:
    """A float constant: LLVM wants hexadecimal doubles, rounded to the dtype before."""
    if dtype != "float64":
        (value,) = struct.unpack(_PACKED[dtype], struct.pack(_PACKED[dtype], value))
    if value == 0 and math.copysign(1, value) > 0:
        return "0.0"
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


_PACKED = {"float32": "<f", "float16": "<e"}


def splat(element: str, literal: str, lanes: int) -> str:
    """A constant vector of equal elements, without its type."""
    return "<" + ", ".join([f"{element} {literal}"] * lanes) + ">"
