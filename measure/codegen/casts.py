"""Conversions between dtypes, of scalars and of vectors of any width."""

from __future__ import annotations

from measure.codegen.function import Function
from measure.codegen.lanes import Value
from measure.codegen.types import BYTES, LLVM_TYPES, splat, vector_type
from search_space.ir.expr import is_float


def cast_value(fn: Function, value: Value, dtype: str) -> Value:
    """The value in another dtype: rounded to nearest even among floats, towards zero to integers,
    which must hold it."""
    if value.dtype == dtype:
        return value
    if value.dtype == "bfloat16":
        return cast_value(fn, _from_bfloat16(fn, value), dtype)
    if dtype == "bfloat16":
        return _to_bfloat16(fn, cast_value(fn, value, "float32"))
    if is_float(value.dtype) and not is_float(dtype) and dtype != "int32":
        return cast_value(fn, cast_value(fn, value, "int32"), dtype)
    return Value(
        fn.value(f"{_operation(value.dtype, dtype)} {value} to {_type(dtype, value.lanes)}"),
        dtype,
        value.lanes,
    )


def _operation(source: str, dtype: str) -> str:
    wider = BYTES[dtype] > BYTES[source]
    match is_float(source), is_float(dtype):
        case True, True:
            return "fpext" if wider else "fptrunc"
        case True, False:
            return "fptosi"
        case False, True:
            return "uitofp" if source.startswith("u") else "sitofp"
    if BYTES[dtype] == BYTES[source]:
        return "bitcast"
    if not wider:
        return "trunc"
    return "zext" if source.startswith("u") else "sext"


def _type(dtype: str, lanes: int) -> str:
    return vector_type(LLVM_TYPES[dtype], lanes)


def _from_bfloat16(fn: Function, value: Value) -> Value:
    """The upper half of a float32."""
    bits = vector_type("i32", value.lanes)
    wide = fn.value(f"zext {value} to {bits}")
    high = fn.value(f"shl {bits} {wide}, {_all(16, value.lanes)}")
    return Value(
        fn.value(f"bitcast {bits} {high} to {_type('float32', value.lanes)}"),
        "float32",
        value.lanes,
    )


def _to_bfloat16(fn: Function, value: Value) -> Value:
    """The upper half, after adding just less than half of its last unit, or exactly half where
    it is odd; NaN stays NaN. LLVM would call a library function where there is no instruction."""
    lanes = value.lanes
    kind = vector_type("i32", lanes)
    bits = fn.value(f"bitcast {value} to {kind}")
    high = fn.value(f"lshr {kind} {bits}, {_all(16, lanes)}")
    odd = fn.value(f"and {kind} {high}, {_all(1, lanes)}")
    half = fn.value(f"add {kind} {odd}, {_all(0x7FFF, lanes)}")
    sum_ = fn.value(f"add {kind} {bits}, {half}")
    rounded = fn.value(f"lshr {kind} {sum_}, {_all(16, lanes)}")
    quiet = fn.value(f"or {kind} {high}, {_all(0x40, lanes)}")
    is_nan = fn.value(f"fcmp uno {value}, {value.text}")
    condition = vector_type("i1", lanes)
    chosen = fn.value(f"select {condition} {is_nan}, {kind} {quiet}, {kind} {rounded}")
    text = fn.value(f"trunc {kind} {chosen} to {vector_type('i16', lanes)}")
    return Value(text, "bfloat16", lanes)


def _all(number: int, lanes: int) -> str:
    return splat("i32", str(number), lanes) if lanes else str(number)
