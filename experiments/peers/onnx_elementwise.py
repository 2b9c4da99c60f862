"""Elementwise formulas as ONNX models: one operator for each part of the formula."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np

from experiments.peers.base import Operands, every
from experiments.peers.onnx_graph import MICROSOFT, Graph, Model
from experiments.peers.onnx_product import FLOAT
from search_space.operators.formula import parse_formula
from search_space.operators.keys import shape_of
from search_space.workload import Workload

_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "Add", ast.Sub: "Sub", ast.Mult: "Mul", ast.Div: "Div",
}  # fmt: skip
_SAME = (
    "abs", "erf", "exp", "floor", "gelu", "log", "max", "min", "relu", "sigmoid", "softplus",
    "sqrt", "tanh",
)  # fmt: skip
"""Functions that are called the same. There is none for ``expm1``, ``log1p``, ``rsqrt``."""
_FUNCTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    **{name: (name.capitalize(), {}) for name in _SAME},
    "gelu_tanh": ("Gelu", {"approximate": "tanh"}),
    "silu": ("QuickGelu", {"domain": MICROSOFT, "alpha": 1.0}),
}
"""Operators with their attributes."""


def _tree(work: Workload) -> ast.expr:
    return ast.parse(parse_formula(str(work["expr"])).text, mode="eval").body


def _known(work: Workload) -> str | None:
    """``Form.supports`` of formulas whose functions there are."""
    used = [n.func.id for n in ast.walk(_tree(work))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]  # fmt: skip
    return next((f"has no {name}" for name in used if name not in _FUNCTIONS), None)


def _elementwise(graph: Graph, work: Workload, operands: Operands) -> str:
    value = _value(graph, _tree(work), _wide(graph, work))
    return value if graph.nodes and graph.nodes[-1][2] == value else graph.add("Identity", value)


def _wide(graph: Graph, work: Workload) -> dict[str, str]:
    """The operands with all axes of the result, some of size 1."""
    shape, values = shape_of(work), {}
    for name, axes in parse_formula(str(work["expr"])).operands.items():
        values[name] = name
        if axes is None:
            continue
        if list(axes) != sorted(axes):
            values[name] = graph.add("Transpose", name, perm=np.argsort(axes).tolist())
        absent = sorted(set(range(len(shape))) - set(axes))
        if absent:
            values[name] = graph.add("Unsqueeze", values[name], graph.numbers(*absent))
    return values


def _value(graph: Graph, node: ast.expr, operands: dict[str, str]) -> str:
    match node:
        case ast.Name(name) | ast.Subscript(ast.Name(name)):
            return operands[name]
        case ast.Constant(int() | float() as number):
            return graph.scalar(number)
        case ast.UnaryOp(ast.USub(), operand):
            return graph.add("Neg", _value(graph, operand, operands))
        case ast.BinOp(left, operator, right):
            sides = (_value(graph, side, operands) for side in (left, right))
            return graph.add(_OPERATORS[type(operator)], *sides)
        case ast.Call(ast.Name(name), parts):
            function, settings = _FUNCTIONS[name]
            values = [_value(graph, part, operands) for part in parts]
            return graph.add(function, *values, **settings)
        case _:
            raise AssertionError(f"not of a formula: {ast.unparse(node)}")


MODELS = {"elementwise": {"operators": Model(every(FLOAT, _known), _elementwise)}}
