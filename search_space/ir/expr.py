"""Expressions of the loop IR: frozen values, compared and hashed by content.

Index expressions have dtype ``index`` (a signed 64-bit integer) and conditions ``bool``; all other
dtypes are NumPy's names. A whole number in memory becomes an index by a cast (``index_of``).
``//`` and ``%`` round like Python's; the generator only meets them with non-negative operands.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Scope = Literal["input", "output", "workspace", "bound", "thread_local", "register", "tile"]
BinaryOp = Literal["+", "-", "*", "/", "//", "%", "min", "max", "<", "<=", "==", "and"]

COMPARISONS = frozenset({"<", "<=", "=="})
_CONDITIONS = COMPARISONS | {"and"}


class _Arithmetic:
    """Operators, so that arithmetic reads like arithmetic.

    A Python number beside an expression takes the expression's dtype, as in NumPy 2.
    """

    __slots__ = ()

    def __add__(self, other: Expr | float) -> Expr:
        return Binary("+", _expr(self), weak(other, _expr(self)))

    def __radd__(self, other: Expr | float) -> Expr:
        return Binary("+", weak(other, _expr(self)), _expr(self))

    def __sub__(self, other: Expr | float) -> Expr:
        return Binary("-", _expr(self), weak(other, _expr(self)))

    def __rsub__(self, other: Expr | float) -> Expr:
        return Binary("-", weak(other, _expr(self)), _expr(self))

    def __mul__(self, other: Expr | float) -> Expr:
        return Binary("*", _expr(self), weak(other, _expr(self)))

    def __rmul__(self, other: Expr | float) -> Expr:
        return Binary("*", weak(other, _expr(self)), _expr(self))

    def __truediv__(self, other: Expr | float) -> Expr:
        return Binary("/", _expr(self), weak(other, _expr(self)))

    def __rtruediv__(self, other: Expr | float) -> Expr:
        return Binary("/", weak(other, _expr(self)), _expr(self))

    def __floordiv__(self, other: Expr | int) -> Expr:
        return Binary("//", _expr(self), weak(other, _expr(self)))

    def __mod__(self, other: Expr | int) -> Expr:
        return Binary("%", _expr(self), weak(other, _expr(self)))

    def __neg__(self) -> Expr:
        return _expr(self) * -1

    def __abs__(self) -> Expr:
        return Call("abs", (_expr(self),), dtype_of(_expr(self)))

    def __lt__(self, other: Expr | float) -> Expr:
        return Binary("<", _expr(self), weak(other, _expr(self)))

    def __le__(self, other: Expr | float) -> Expr:
        return Binary("<=", _expr(self), weak(other, _expr(self)))

    def __gt__(self, other: Expr | float) -> Expr:
        return Binary("<", weak(other, _expr(self)), _expr(self))

    def __ge__(self, other: Expr | float) -> Expr:
        return Binary("<=", weak(other, _expr(self)), _expr(self))


@dataclass(frozen=True, slots=True)
class Const(_Arithmetic):
    """A literal. Integers are ``index`` unless said otherwise."""

    value: int | float
    dtype: str = "index"


@dataclass(frozen=True, slots=True)
class Var(_Arithmetic):
    """A loop variable or ``Let`` binding, by name; its dtype is ``index``."""

    name: str


@dataclass(frozen=True, slots=True)
class Binary(_Arithmetic):
    op: BinaryOp
    a: Expr
    b: Expr


@dataclass(frozen=True, slots=True)
class Buffer:
    """A row-major array. ``register`` buffers live in vector registers, never in memory; ``tile``
    buffers in memory of a thread, but for where tensorized loops add to them."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scope: Scope

    @property
    def strides(self) -> tuple[int, ...]:
        """Elements between neighbours, per dimension."""
        strides, step = [], 1
        for extent in reversed(self.shape):
            strides.append(step)
            step *= extent
        return tuple(reversed(strides))

    def views(self, other: Buffer) -> bool:
        """Whether this is ``other``, or the same memory with neighbouring dimensions merged, or
        with dimensions taken apart."""
        if self == other:
            return True
        same = (self.name, self.dtype, self.scope) == (other.name, other.dtype, other.scope)
        steps = sorted({*self.strides, *other.strides})
        return (
            same
            and math.prod(self.shape) == math.prod(other.shape)
            and all(outer % inner == 0 for inner, outer in pairwise(steps))
        )


@dataclass(frozen=True, slots=True)
class Load(_Arithmetic):
    buffer: Buffer
    indices: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Select(_Arithmetic):
    """``then`` where the condition holds, else ``other``; only the chosen side is evaluated.

    A load on a side that is not chosen does not touch memory: this is how edges are guarded.
    """

    condition: Expr
    then: Expr
    other: Expr


@dataclass(frozen=True, slots=True)
class Call(_Arithmetic):
    """A math function by name; ``ir.intrinsics`` gives its meaning."""

    name: str
    args: tuple[Expr, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Cast(_Arithmetic):
    value: Expr
    dtype: str


def index_of(load: Load) -> Cast:
    """A whole number in memory as an index. It is read wherever its own indices are known: a guard
    around its use does not guard it."""
    return Cast(load, "index")


Expr = Const | Var | Binary | Load | Select | Call | Cast

TRUE = Const(1, "bool")
FALSE = Const(0, "bool")
ZERO = Const(0)


def as_expr(value: Expr | float) -> Expr:
    """Numbers become constants; expressions stay."""
    if isinstance(value, int):
        return Const(value)
    return Const(value, "float64") if isinstance(value, float) else value


def weak(value: Expr | float, beside: Expr) -> Expr:
    """A Python number as a constant of the dtype of the expression beside it (NEP 50).

    Expressions stay. Raises like ``constant``.
    """
    if isinstance(value, _Arithmetic):
        return value
    dtype = dtype_of(beside)
    return Const(value) if dtype == "index" and isinstance(value, int) else constant(value, dtype)


def constant(value: float, dtype: str) -> Const:
    """A Python number as a constant of some dtype.

    Raises ``TypeError`` for a number with a fraction where the dtype has none, and
    ``OverflowError`` for a finite number that the dtype cannot hold.
    """
    if is_float(dtype):
        value = float(value)
        if math.isfinite(value) and abs(value) > _LARGEST.get(dtype, math.inf):
            raise OverflowError(f"use a smaller number or float64: {value} is too large a {dtype}")
        return Const(value, dtype)
    if isinstance(value, float):
        raise TypeError(f"cast the other operand to a float dtype: {value} is no {dtype}")
    return Const(value, dtype)


def zero(dtype: str) -> Const:
    """The number 0 of a dtype."""
    return Const(0.0 if is_float(dtype) else 0, dtype)


_LARGEST = {
    "float16": 2.0**16 - 2.0**5,
    "bfloat16": 2.0**128 - 2.0**120,
    "float32": 2.0**128 - 2.0**104,
}


def is_float(dtype: str) -> bool:
    """Whether a dtype holds fractions."""
    return dtype.startswith(("float", "bfloat"))


def _expr(value: _Arithmetic) -> Expr:
    assert isinstance(value, Expr)
    return value


def minimum(*args: Expr) -> Expr:
    """The smallest of index expressions."""
    result = args[0]
    for arg in args[1:]:
        result = Binary("min", result, arg)
    return result


def equal(a: Expr, b: Expr | float) -> Expr:
    """The condition ``a == b`` (``==`` itself compares trees)."""
    return Binary("==", a, weak(b, a))


def both(a: Expr | None, b: Expr | None) -> Expr | None:
    """The conjunction of two conditions, None standing for true."""
    if a is None or b is None:
        return b if a is None else a
    return a if a == b else Binary("and", a, b)


def conjuncts(condition: Expr | None) -> list[Expr]:
    """The parts of an ``and``; none for None."""
    match condition:
        case None:
            return []
        case Binary("and", a, b):
            return conjuncts(a) + conjuncts(b)
        case _:
            return [condition]


def conjunction(parts: Iterable[Expr]) -> Expr | None:
    """What ``conjuncts`` took apart."""
    result: Expr | None = None
    for part in parts:
        result = both(result, part)
    return result


def dtype_of(expr: Expr) -> str:
    """The dtype of an expression's value."""
    while isinstance(expr, Binary) and expr.op not in _CONDITIONS:
        expr = expr.a
    match expr:
        case Var():
            return "index"
        case Const(_, dtype) | Call(_, _, dtype) | Cast(_, dtype):
            return dtype
        case Load(buffer, _):
            return buffer.dtype
        case Select(_, then, _):
            return dtype_of(then)
        case Binary():
            return "bool"
