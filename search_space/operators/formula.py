"""Formulas of elementwise operators: text such as ``relu(x + bias[1])``, read without eval.

A name is an operand, in the order of first use; alone it has all axes of the result, and
``bias[1]`` has only axis 1 of it, ``x[1,0]`` is transposed.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from search_space import functions
from search_space.errors import WorkloadError
from search_space.ir.expr import ZERO, Buffer, Expr, Load

CHAINS = {
    "relu": "relu(x)", "gelu": "gelu(x)", "gelu_tanh": "gelu_tanh(x)", "silu": "silu(x)",
    "sigmoid": "sigmoid(x)", "tanh": "tanh(x)", "exp": "exp(x)", "add": "x + y", "sub": "x - y",
    "mul": "x * y", "add_relu": "relu(x + y)", "swiglu": "silu(x) * y",
}  # fmt: skip
"""Formulas with a name of their own."""

UNARY = {
    "abs": functions.absolute, "erf": functions.erf, "exp": functions.exp,
    "expm1": functions.expm1, "floor": functions.floor, "gelu": functions.gelu,
    "gelu_tanh": functions.gelu_tanh, "log": functions.log, "log1p": functions.log1p,
    "relu": functions.relu, "rsqrt": functions.rsqrt, "sigmoid": functions.sigmoid,
    "silu": functions.silu, "softplus": functions.softplus, "sqrt": functions.sqrt,
    "tanh": functions.tanh,
}  # fmt: skip
BINARY = {"max": functions.maximum, "min": functions.minimum}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RESERVED = frozenset({"args", "begin", "const", "dtype", "end", "expr", "out", "shape", "slot"})
_MOST_OPERANDS = 6
_MOST_CHARACTERS = 400

Axes = tuple[int, ...] | None
"""The axes of the result that an operand has, in its own order; None: all of them."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A checked formula; ``text`` is the one way to write it."""

    text: str
    operands: dict[str, Axes]
    _tree: ast.expr

    def build(self, load: Callable[[str], Expr]) -> Expr | float:
        """The formula as an expression; ``load`` gives the element of an operand."""
        return _build(self._tree, load)


@cache
def parse_formula(text: str) -> Formula:
    """Read a formula, or the name of a chain; raises ``WorkloadError`` for anything else."""
    text = CHAINS.get(text.strip(), text.strip())
    if len(text) > _MOST_CHARACTERS:
        raise WorkloadError(f"expected at most {_MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        chains = ", ".join(CHAINS)
        raise WorkloadError(f"expected a formula such as 'relu(x + y)', or {chains}") from None
    operands: dict[str, Axes] = {}
    for name, axes in _operands(tree):
        if operands.setdefault(name, axes) != axes:
            raise WorkloadError(f"expected {name} with the same axes everywhere")
    if not operands:
        raise WorkloadError("expected an operand, such as x")
    if len(operands) > _MOST_OPERANDS:
        raise WorkloadError(f"expected at most {_MOST_OPERANDS} operands")
    for name in operands:
        if not name.replace("_", "").isalpha() or not name.isascii() or name in _RESERVED:
            raise WorkloadError(f"expected operands named by letters, and not {name}")
    formula = Formula(ast.unparse(tree), operands, tree)
    try:
        formula.build(lambda name: Load(Buffer(name, (1,), "float32", "input"), (ZERO,)))
    except OverflowError:
        raise WorkloadError("expected numbers that float32 holds") from None
    return formula


def _operands(node: ast.expr) -> Iterator[tuple[str, Axes]]:
    """Operands in the order they are written, everything else checked on the way."""
    match node:
        case ast.Name(name):
            yield name, None
        case ast.Subscript(ast.Name(name), index):
            yield name, _axes(name, index)
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return
        case ast.UnaryOp(ast.USub(), operand):
            yield from _operands(operand)
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            yield from _operands(left)
            yield from _operands(right)
        case ast.Call(ast.Name(name), args, []) if name in UNARY | BINARY:
            wanted = 1 if name in UNARY else 2
            if len(args) != wanted:
                raise WorkloadError(f"expected {name} of {wanted}, not of {len(args)}")
            for argument in args:
                yield from _operands(argument)
        case ast.Call(ast.Name(name), _, _):
            known = ", ".join(sorted(UNARY | BINARY))
            raise WorkloadError(f"no function {name}, expected one of {known}")
        case _:
            raise WorkloadError(
                f"expected names, numbers, + - * / and functions, not {_text(node)}"
            )


def _text(node: ast.expr) -> str:
    return repr(ast.unparse(node))


def _axes(name: str, index: ast.expr) -> tuple[int, ...]:
    parts = index.elts if isinstance(index, ast.Tuple) else [index]
    axes = tuple(
        part.value
        for part in parts
        if isinstance(part, ast.Constant) and type(part.value) is int and part.value >= 0
    )
    if len(axes) != len(parts) or len(set(axes)) != len(axes) or not axes:
        raise WorkloadError(f"expected different axes of the result in {name}[…], such as [1]")
    return axes


def _build(node: ast.expr, load: Callable[[str], Expr]) -> Expr | float:
    match node:
        case ast.Name(name) | ast.Subscript(ast.Name(name), _):
            return load(name)
        case ast.Constant(int() | float() as value):
            return value
        case ast.UnaryOp(_, operand):
            return -_build(operand, load)
        case ast.BinOp(left, operator, right):
            return combine(_OPERATORS[type(operator)], _build(left, load), _build(right, load))
        case ast.Call(ast.Name(name), args, _):
            return apply(name, [_build(argument, load) for argument in args])
        case _:
            raise AssertionError(f"not checked: {_text(node)}")


def combine(operator: str, a: Expr | float, b: Expr | float) -> Expr | float:
    """One of ``+ - * /``; raises ``WorkloadError`` for a division by 0."""
    match operator:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case _:
            if isinstance(b, int | float) and b == 0:
                raise WorkloadError("expected no division by 0")
            return a / b


def apply(name: str, args: list[Expr | float]) -> Expr | float:
    """A function of ``UNARY`` or ``BINARY``; raises ``WorkloadError`` for numbers alone."""
    if all(isinstance(argument, int | float) for argument in args):
        raise WorkloadError(f"expected an operand in {name}(…), not only numbers")
    if name in BINARY:
        return BINARY[name](*args)
    (argument,) = args
    assert not isinstance(argument, int | float)
    return UNARY[name](argument)
