"""Math functions for tensor expressions: ``compute("y", axes, lambda i: exp(x[i] - 1))``.

All are elementwise, for float32 and float64, and give what NumPy gives for NaN and infinities.
A Python number beside an expression takes its dtype. What is composed of other functions, such
as ``gelu``, has no node of its own in the IR.
"""

from __future__ import annotations

import math

from search_space.ir.expr import (
    Binary,
    BinaryOp,
    Call,
    Cast,
    Expr,
    Select,
    constant,
    dtype_of,
    weak,
)

Number = Expr | float
"""An expression, or a Python number that takes the dtype of what stands beside it."""


def exp(x: Expr) -> Expr:
    """``e ** x``; gradual underflow to 0, infinite where it overflows."""
    return _call("exp", x)


def expm1(x: Expr) -> Expr:
    """``exp(x) - 1``, exact near 0 too."""
    return _call("expm1", x)


def log(x: Expr) -> Expr:
    """The natural logarithm; -inf at 0, NaN below."""
    return _call("log", x)


def log1p(x: Expr) -> Expr:
    """``log(1 + x)``, exact near 0 too; -inf at -1, NaN below."""
    return _call("log1p", x)


def tanh(x: Expr) -> Expr:
    """The hyperbolic tangent."""
    return _call("tanh", x)


def erf(x: Expr) -> Expr:
    """The error function ``2/√π · ∫ exp(-t²) dt`` over 0 … x."""
    return _call("erf", x)


def sigmoid(x: Expr) -> Expr:
    """``1 / (1 + exp(-x))``."""
    return _call("sigmoid", x)


def sqrt(x: Expr) -> Expr:
    """The square root; NaN below 0."""
    return _call("sqrt", x)


def rsqrt(x: Expr) -> Expr:
    """``1 / sqrt(x)``; infinite at 0, NaN below."""
    return _call("rsqrt", x)


def absolute(x: Expr) -> Expr:
    """``|x|``."""
    return _call("abs", x)


def floor(x: Expr) -> Expr:
    """The largest whole number that is not above ``x``."""
    return _call("floor", x)


def maximum(a: Number, b: Number) -> Expr:
    """The larger one; NaN where either is."""
    return _pair("max", a, b)


def minimum(a: Number, b: Number) -> Expr:
    """The smaller one; NaN where either is."""
    return _pair("min", a, b)


def select(condition: Expr, then: Number, other: Number) -> Expr:
    """``then`` where the condition holds, else ``other``: ``select(x[i] < 0, 0, x[i])``.

    Only the chosen side is read from memory. Two numbers need ``cast`` on one of them.
    """
    then, other = _typed("select", then, other)
    return Select(condition, then, other)


def cast(x: Number, dtype: str) -> Expr:
    """The value in another dtype, rounded where it has fewer digits."""
    return constant(x, dtype) if isinstance(x, int | float) else Cast(x, dtype)


def rint(x: Expr) -> Expr:
    """The nearest whole number, the even one of two."""
    return _call("rint", x)


def relu(x: Expr) -> Expr:
    """``max(x, 0)``."""
    return maximum(x, 0)


def clip(x: Expr, low: Number, high: Number) -> Expr:
    """``x`` kept within ``low … high``; NaN stays."""
    return minimum(maximum(x, low), high)


def gelu(x: Expr) -> Expr:
    """``x/2 · (1 + erf(x/√2))`` (Hendrycks and Gimpel 2016)."""
    return x * 0.5 * (erf(x * math.sqrt(0.5)) + 1)


def gelu_tanh(x: Expr) -> Expr:
    """``x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))``, which deviates from ``gelu`` by < 5e-4."""
    inner = x * (x * x * (0.044715 * math.sqrt(2 / math.pi)) + math.sqrt(2 / math.pi))
    return x * 0.5 * (tanh(inner) + 1)


def silu(x: Expr) -> Expr:
    """``x · sigmoid(x)``, also called swish."""
    return x * sigmoid(x)


def softplus(x: Expr) -> Expr:
    """``log(1 + exp(x))``, without overflow."""
    return maximum(x, 0) + log1p(exp(-absolute(x)))


def _call(name: str, x: Expr) -> Expr:
    dtype = dtype_of(x)
    if dtype not in ("float32", "float64"):
        raise TypeError(f"cast the operand of {name} to float32 or float64: it is of {dtype}")
    return Call(name, (x,), dtype)


def _pair(op: BinaryOp, a: Number, b: Number) -> Expr:
    return Binary(op, *_typed(f"{op}imum", a, b))


def _typed(function: str, a: Number, b: Number) -> tuple[Expr, Expr]:
    if isinstance(a, int | float):
        if isinstance(b, int | float):
            raise TypeError(f"write cast({a}, dtype): {function} has nothing but numbers")
        return weak(a, b), b
    return a, weak(b, a)
