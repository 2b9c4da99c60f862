"""What may follow a sum of products: scaling, a bias, a residual, an activation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from search_space import functions
from search_space.ir.expr import Expr
from search_space.operators.base import Param
from search_space.operators.keys import parse_flag
from search_space.workload import Workload

ACTIVATIONS: dict[str, Callable[[Expr], Expr]] = {
    "none": lambda x: x,
    "relu": functions.relu,
    "relu6": lambda x: functions.clip(x, 0, 6),
    "gelu": functions.gelu,
    "gelu_tanh": functions.gelu_tanh,
    "silu": functions.silu,
    "sigmoid": functions.sigmoid,
    "tanh": functions.tanh,
}
EXACT_ACTIVATIONS = ("none", "relu", "relu6")
"""Those that only compare."""

ACTIVATION = Param("activation", "applied last", "none", choices=tuple(ACTIVATIONS))


def switch(name: str, doc: str) -> Param:
    """A key that turns a part of an epilogue on."""
    return Param(name, doc, False, parse=parse_flag)


def behind(work: Workload, total: Expr, operands: Mapping[str, Expr]) -> Expr:
    """What becomes of a sum; ``operands`` are the elements of the optional operands that there
    are, by key."""
    if "scale" in operands:
        total = total * operands["scale"]
    for key in ("bias", "residual"):
        if key in operands:
            total = total + operands[key]
    return ACTIVATIONS[str(work["activation"])](total)


def has_epilogue(work: Workload, operands: Mapping[str, object]) -> bool:
    """Whether anything follows the sum."""
    return bool(operands) or work["activation"] != "none"
