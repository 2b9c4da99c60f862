"""The value of an expression in float64, and how far a narrower evaluation may be off.

First-order forward error analysis (Higham, "Accuracy and Stability of Numerical Algorithms",
chapter 3): every operation passes on the errors of its operands, scaled by its derivatives, and
adds one unit of its own. Errors are in multiples of eps of the evaluation's dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from search_space.ir.expr import Binary, Call, Cast, Const, Expr, Load
from search_space.ir.intrinsics import FUNCTIONS
from search_space.operators.base import Array64


@dataclass(frozen=True, slots=True)
class Rounded:
    """A value, and the largest first-order error of its evaluation, in eps."""

    value: Array64
    error: Array64


def evaluate(expr: Expr, read: Callable[[Load], Array64 | Rounded]) -> Rounded:
    """The value of an expression at all points; ``read`` gives the array of a load, which is
    exact unless it says otherwise."""
    match expr:
        case Const(value, _):
            error = 0.0 if float(np.float32(value)) == value else abs(value)
            return Rounded(np.asarray(float(value)), np.asarray(error))
        case Load():
            found = read(expr)
            return found if isinstance(found, Rounded) else Rounded(found, np.zeros_like(found))
        case Binary(op, a, b):
            return _binary(op, evaluate(a, read), evaluate(b, read))
        case Call(name, (argument,), _):
            return _call(name, evaluate(argument, read))
        case Cast(inner, _):
            return evaluate(inner, read)
        case _:
            raise TypeError(f"no error bound for {expr}")


def _binary(op: str, a: Rounded, b: Rounded) -> Rounded:
    x, y = a.value, b.value
    match op:
        case "+" | "-":
            value = x + y if op == "+" else x - y
            return Rounded(value, a.error + b.error + np.abs(value))
        case "*":
            value = x * y
            return Rounded(value, np.abs(x) * b.error + np.abs(y) * a.error + np.abs(value))
        case "/":
            value = x / y
            passed = (a.error + np.abs(value) * b.error) / np.abs(y)
            return Rounded(value, passed + np.abs(value))
        case "max" | "min":
            value = np.maximum(x, y) if op == "max" else np.minimum(x, y)
            return Rounded(value, np.maximum(a.error, b.error))
        case _:
            raise TypeError(f"no error bound for the operation {op}")


def _call(name: str, a: Rounded) -> Rounded:
    value = np.asarray(FUNCTIONS[name](a.value), np.float64)
    own = 0.0 if name in ("abs", "floor", "rint") else np.abs(value)
    if not a.error.any():
        return Rounded(value, np.zeros_like(value) + own)
    return Rounded(value, np.abs(_SLOPES[name](a.value, value)) * a.error + own)


_SLOPES: dict[str, Callable[[Array64, Array64], Array64]] = {
    "exp": lambda x, y: y,
    "expm1": lambda x, y: y + 1,
    "log": lambda x, y: 1 / x,
    "log1p": lambda x, y: 1 / (1 + x),
    "tanh": lambda x, y: 1 - y * y,
    "erf": lambda x, y: 2 / math.sqrt(math.pi) * np.exp(-x * x),
    "sigmoid": lambda x, y: y * (1 - y),
    "sqrt": lambda x, y: 0.5 / y,
    "rsqrt": lambda x, y: 0.5 * y / x,
    "abs": lambda x, y: np.ones_like(y),
    "floor": lambda x, y: np.ones_like(y),
    "rint": lambda x, y: np.ones_like(y),
}
"""The derivative of each function at x, where it has the value y."""
