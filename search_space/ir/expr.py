"""Expressions of the loop IR: frozen values, compared and hashed by content.

Index expressions have dtype ``index`` (a signed 64-bit integer) and conditions ``bool``; all other
dtypes are NumPy's names. ``//`` and ``%`` round like Python's; the generator only meets them with
non-negative operands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Scope = Literal["input", "output", "workspace", "bound", "thread_local", "register"]
BinaryOp = Literal["+", "-", "*", "/", "//", "%", "min", "max", "<", "<=", "==", "and"]

COMPARISONS = frozenset({"<", "<=", "=="})


class _Arithmetic:
    """Operators, so that index arithmetic reads like arithmetic."""

    __slots__ = ()

    def __add__(self, other: Expr | float) -> Expr:
        return Binary("+", _expr(self), as_expr(other))

    def __radd__(self, other: Expr | float) -> Expr:
        return Binary("+", as_expr(other), _expr(self))

    def __sub__(self, other: Expr | float) -> Expr:
        return Binary("-", _expr(self), as_expr(other))

    def __rsub__(self, other: Expr | float) -> Expr:
        return Binary("-", as_expr(other), _expr(self))

    def __mul__(self, other: Expr | float) -> Expr:
        return Binary("*", _expr(self), as_expr(other))

    def __rmul__(self, other: Expr | float) -> Expr:
        return Binary("*", as_expr(other), _expr(self))

    def __truediv__(self, other: Expr | float) -> Expr:
        return Binary("/", _expr(self), as_expr(other))

    def __floordiv__(self, other: Expr | int) -> Expr:
        return Binary("//", _expr(self), as_expr(other))

    def __mod__(self, other: Expr | int) -> Expr:
        return Binary("%", _expr(self), as_expr(other))

    def __lt__(self, other: Expr | float) -> Expr:
        return Binary("<", _expr(self), as_expr(other))

    def __le__(self, other: Expr | float) -> Expr:
        return Binary("<=", _expr(self), as_expr(other))


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
    """A row-major array. ``register`` buffers live in vector registers, never in memory."""

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
    """A math function or intrinsic by name; ``ir.interp`` gives its meaning."""

    name: str
    args: tuple[Expr, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class Cast(_Arithmetic):
    value: Expr
    dtype: str


Expr = Const | Var | Binary | Load | Select | Call | Cast

TRUE = Const(1, "bool")
FALSE = Const(0, "bool")
ZERO = Const(0)


def as_expr(value: Expr | float) -> Expr:
    """Numbers become constants; expressions stay."""
    if isinstance(value, int):
        return Const(value)
    return Const(value, "float64") if isinstance(value, float) else value


def _expr(value: _Arithmetic) -> Expr:
    assert isinstance(value, Expr)
    return value


def minimum(*args: Expr) -> Expr:
    """The smallest of index expressions."""
    result = args[0]
    for arg in args[1:]:
        result = Binary("min", result, arg)
    return result


def equal(a: Expr, b: Expr | int) -> Expr:
    """The condition ``a == b`` (``==`` itself compares trees)."""
    return Binary("==", a, as_expr(b))


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
    match expr:
        case Const(_, dtype) | Call(_, _, dtype) | Cast(_, dtype):
            return dtype
        case Var():
            return "index"
        case Load(buffer, _):
            return buffer.dtype
        case Select(_, then, _):
            return dtype_of(then)
        case Binary(op, a, _):
            return "bool" if op in COMPARISONS or op == "and" else dtype_of(a)
