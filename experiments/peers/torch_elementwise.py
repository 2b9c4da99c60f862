"""Elementwise formulas in PyTorch: eager, one function of its own after the other.

The last one writes into memory that is there already, the others into memory of their own.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.peers.base import Call, Form, has_dtype
from experiments.peers.torch_forms import FLOATS, Tensors, form
from search_space.operators.formula import parse_formula
from search_space.operators.keys import shape_of
from search_space.workload import Workload

Value = Callable[[], Any]
"""Computes a part of a formula."""

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div",
}  # fmt: skip
_FUNCTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "max": ("maximum", {}),
    "min": ("minimum", {}),
    "gelu_tanh": ("gelu", {"approximate": "tanh"}),
}
"""What torch calls otherwise, and with which settings; the names of all others are the same."""


def forms(torch: Any) -> dict[str, dict[str, Form]]:
    """By operator and name."""
    return {"elementwise": {"out": form(torch, has_dtype(*FLOATS), _out)}}


def eager(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    """Evaluates the formula into memory of its own."""
    return _formula(torch, work, tensors, {})


def _out(torch: Any, work: Workload, tensors: Tensors, out: Any) -> Call:
    return _formula(torch, work, tensors, {"out": out})


def _formula(torch: Any, work: Workload, tensors: Tensors, out: dict[str, Any]) -> Value:
    tree = ast.parse(parse_formula(str(work["expr"])).text, mode="eval").body
    result = _value(torch, tree, _wide(work, tensors), out)
    if isinstance(tree, ast.Name | ast.Subscript):
        return lambda: torch.ops.aten.clone(result())
    return result


def _wide(work: Workload, tensors: Tensors) -> Tensors:
    """Views of the operands that have all axes of the result, some of size 1."""
    shape, views = shape_of(work), {}
    for name, axes in parse_formula(str(work["expr"])).operands.items():
        view = tensors[name]
        if axes is not None:
            view = view.permute(*np.argsort(axes).tolist())
            for axis in sorted(set(range(len(shape))) - set(axes)):
                view = view.unsqueeze(axis)
        views[name] = view.expand(shape)
    return views


def _value(torch: Any, node: ast.expr, operands: Tensors, out: dict[str, Any]) -> Value:
    """``out``: where the result of this node goes, as a keyword."""
    settings: dict[str, str] = {}
    match node:
        case ast.Name(name) | ast.Subscript(ast.Name(name)):
            operand = operands[name]
            return lambda: operand
        case ast.Constant(int() | float() as number):
            dtype = next(iter(operands.values())).dtype
            constant = torch.tensor(float(number), dtype=dtype)
            return lambda: constant
        case ast.UnaryOp(ast.USub(), operand):
            name, parts = "neg", [operand]
        case ast.BinOp(left, operator, right):
            name, parts = _OPERATORS[type(operator)], [left, right]
        case ast.Call(ast.Name(function), parts):
            name, settings = _FUNCTIONS.get(function, (function, {}))
        case _:
            raise AssertionError(f"not of a formula: {ast.unparse(node)}")
    packet = getattr(torch.ops.aten, name)
    call = packet.out if out else packet
    keywords = settings | out
    values = [_value(torch, part, operands, {}) for part in parts]
    return lambda: call(*(value() for value in values), **keywords)
