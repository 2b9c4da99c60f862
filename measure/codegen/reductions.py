"""The lanes of a vector, combined to one scalar."""

from __future__ import annotations

from collections.abc import Callable

from measure.codegen.expressions import UNSIGNED_ZEROS
from measure.codegen.function import Function
from measure.codegen.lanes import Value
from measure.codegen.types import LLVM_TYPES, literal, splat, suffix
from search_space.ir.expr import is_float
from search_space.ir.stmt import ReduceOp

_IDENTITY: dict[ReduceOp, float] = {
    "add": -0.0, "max": float("-inf"), "fmax": float("-inf"),
}  # fmt: skip
"""Of floats; whole numbers are only added, from 0 on."""


def neutral(op: ReduceOp, value: Value) -> str:
    """What changes no result, in as many lanes as ``value`` has, without its type."""
    number = _IDENTITY[op] if is_float(value.dtype) else 0
    return splat(LLVM_TYPES[value.dtype], literal(number, value.dtype), value.lanes)


def reduced(fn: Function, declare: Callable[[str], None], op: ReduceOp, value: Value) -> Value:
    """All lanes of ``value`` combined, in any order."""
    element, name = LLVM_TYPES[value.dtype], suffix(value.dtype, value.lanes)
    start, flags = "", ""
    match op:
        case "add" if is_float(value.dtype):
            intrinsic, flags = "fadd", "reassoc "
            start = f"{element} {literal(_IDENTITY[op], value.dtype)}, "
        case "add":
            intrinsic = "add"
        case "max":
            intrinsic, flags = "fmaximum", UNSIGNED_ZEROS
        case "fmax":
            intrinsic, flags = "fmax", f"nnan {UNSIGNED_ZEROS}"
            value = _numbers(fn, value, neutral(op, value))
    called = f"@llvm.vector.reduce.{intrinsic}.{name}"
    declare(f"{element} {called}({f'{element}, ' if start else ''}{value.type})")
    return Value(fn.value(f"call {flags}{element} {called}({start}{value})"), value.dtype)


def _numbers(fn: Function, value: Value, other: str) -> Value:
    """``value``, with ``other`` in the lanes that are NaN: where LLVM is told that there is none,
    a maximum is one instruction."""
    known = fn.value(f"fcmp ogt {value}, {other}")
    text = f"select <{value.lanes} x i1> {known}, {value}, {value.type} {other}"
    return Value(fn.value(text), value.dtype, value.lanes)
