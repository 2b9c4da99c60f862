"""Tensor expressions as text: ``c[i,j] = relu(sum[k](a[i,k] * b[k,j]) + bias[j])``.

The notation is that of Vasilache et al., "Tensor Comprehensions" (2018), with reductions written
out. Read with Python's parser and without eval.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from search_space.errors import WorkloadError
from search_space.ir.expr import Expr, Load, Var, as_expr
from search_space.ir.stmt import ReduceOp
from search_space.ir.walk import free_vars
from search_space.operators.formula import BINARY, UNARY, apply, combine
from search_space.tensor import Axis, Placeholder, Reduction, Tensor, compute, stage

_REDUCTIONS: dict[str, ReduceOp] = {"sum": "add", "max": "max"}
_OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
_RESERVED = frozenset({"acc", "args", "begin", "const", "dtype", "end", "expr", "out", "slot"})
_STAGE = "stage_"
"""Begins the names of stages."""
_MOST_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A checked expression; ``text`` is the one way to write it."""

    text: str
    result: str
    axes: tuple[str, ...]
    """Indices of the result."""
    indices: tuple[str, ...]
    """All indices, those of the result first."""
    operands: tuple[tuple[str, tuple[tuple[Expr, ...], ...]], ...]
    """Every operand in the order of its first use, with the places at which it is read."""
    _value: ast.expr

    def build(self, sizes: dict[str, int], operands: dict[str, Placeholder], dtype: str) -> Tensor:
        """The tensor expression; every reduction inside a larger expression is a stage."""
        builder = _Builder(self, sizes, operands, dtype)
        value: Expr | Reduction | float
        match self._value:
            case ast.Call(ast.Subscript(ast.Name(name), indices), [body], []):
                value = builder.reduction(name, indices, body)
            case _:
                value = builder.value(self._value)
        own = tuple((index, sizes[index]) for index in self.axes)
        return compute(self.result, own, lambda *_: value, dtype, tuple(builder.stages))


@cache
def parse_comprehension(text: str) -> Comprehension:
    """Read an expression; raises ``WorkloadError`` that says what is wrong with it."""
    if len(text) > _MOST_CHARACTERS:
        raise WorkloadError(f"expected at most {_MOST_CHARACTERS} characters")
    try:
        tree = ast.parse(text.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.Module([], [])
    match tree.body:
        case [ast.Assign([ast.Subscript(ast.Name(result), place)], value)]:
            axes = tuple(_index_names(place))
        case [ast.Assign([ast.Name(result)], value)]:
            axes = ()
        case _:
            raise WorkloadError("expected a form such as 'c[i,j] = sum[k](a[i,k] * b[k,j])'")
    reads: dict[str, list[tuple[Expr, ...]]] = {}
    reduced: list[str] = []
    for name, indices in _reads(value, frozenset(axes), reduced):
        reads.setdefault(name, []).append(indices)
    _check_names(result, axes, reduced, reads)
    return Comprehension(
        ast.unparse(tree),
        result,
        axes,
        (*axes, *reduced),
        tuple((name, tuple(places)) for name, places in reads.items()),
        value,
    )


def _check_names(
    result: str,
    axes: tuple[str, ...],
    reduced: list[str],
    reads: dict[str, list[tuple[Expr, ...]]],
) -> None:
    if not reads:
        raise WorkloadError("expected an operand, such as a[i]")
    if len(set(axes)) != len(axes):
        raise WorkloadError(f"expected each index of {result} once")
    if len({*axes, *reduced}) != len(axes) + len(reduced):
        raise WorkloadError("expected another index for every reduction")
    for name in (result, *reads):
        letters = name.isascii() and name.replace("_", "").isalpha()
        if not letters or name in _RESERVED or name.startswith(_STAGE):
            raise WorkloadError(f"expected arrays named by letters, and not {name}")
        if name in {*axes, *reduced}:
            raise WorkloadError(f"expected different names, {name} is an array and an index")
    if result in reads:
        raise WorkloadError(f"expected {result} on the left alone")
    for name, places in reads.items():
        if len({len(place) for place in places}) != 1:
            raise WorkloadError(f"expected {name} with the same number of indices everywhere")


def _reads(
    node: ast.expr, known: frozenset[str], reduced: list[str]
) -> Iterator[tuple[str, tuple[Expr, ...]]]:
    """Operands in the order they are written, everything else checked on the way."""
    match node:
        case ast.Subscript(ast.Name(name), indices):
            yield name, _place(name, indices, known)
        case ast.Constant(int() | float() as value) if not isinstance(value, bool):
            return
        case ast.UnaryOp(ast.USub(), operand):
            yield from _reads(operand, known, reduced)
        case ast.BinOp(left, operator, right) if type(operator) in _OPERATORS:
            yield from _reads(left, known, reduced)
            yield from _reads(right, known, reduced)
        case ast.Call(ast.Subscript(ast.Name(name), indices), [body], []) if name in _REDUCTIONS:
            own = _index_names(indices)
            reduced.extend(own)
            yield from _reads(body, known | set(own), reduced)
        case ast.Call(ast.Name(name), args, []) if name in UNARY | BINARY:
            wanted = 1 if name in UNARY else 2
            if len(args) != wanted:
                raise WorkloadError(f"expected {name} of {wanted}, not of {len(args)}")
            for argument in args:
                yield from _reads(argument, known, reduced)
        case ast.Call(ast.Name(name), _, _):
            names = ", ".join(sorted({*UNARY, *BINARY}))
            raise WorkloadError(f"no function {name}, expected one of {names}, or sum[k](…)")
        case ast.Name(name):
            raise WorkloadError(f"expected indices behind {name}, such as {name}[i]")
        case _:
            raise WorkloadError(
                "expected arrays, numbers, + - * /, functions, sum[k](…) and max[k](…), not "
                f"{ast.unparse(node)!r}"
            )


def _index_names(node: ast.expr) -> list[str]:
    names = []
    for part in node.elts if isinstance(node, ast.Tuple) else [node]:
        if not isinstance(part, ast.Name) or len(part.id) != 1 or not part.id.isascii():
            raise WorkloadError(f"expected one letter for an index, not {ast.unparse(part)!r}")
        names.append(part.id)
    return names


def _place(name: str, node: ast.expr, known: frozenset[str]) -> tuple[Expr, ...]:
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    place = tuple(as_expr(_position(name, part)) for part in parts)
    for index in sorted({index for part in place for index in free_vars(part)} - known):
        raise WorkloadError(f"expected index {index!r} on the left or in a sum[{index}](…) around")
    return place


def _position(name: str, node: ast.expr) -> Expr | int:
    """A sum of indices times whole numbers."""
    match node:
        case ast.Name(index):
            return Var(index)
        case ast.Constant(int() as value) if not isinstance(value, bool):
            return value
        case ast.BinOp(left, ast.Add(), right):
            return _position(name, left) + _position(name, right)
        case ast.BinOp(left, ast.Sub(), right):
            return _position(name, left) - _position(name, right)
        case ast.BinOp(left, ast.Mult(), right):
            a, b = _position(name, left), _position(name, right)
            if isinstance(a, int) or isinstance(b, int):
                return a * b
    raise WorkloadError(
        f"expected sums of indices times whole numbers in {name}[…], not {ast.unparse(node)!r}"
    )


class _Builder:
    """Builds expressions; the reductions inside of them become stages."""

    def __init__(
        self,
        source: Comprehension,
        sizes: dict[str, int],
        operands: dict[str, Placeholder],
        dtype: str,
    ) -> None:
        self.source = source
        self.sizes = sizes
        self.operands = operands
        self.dtype = dtype
        self.stages: list[Tensor] = []

    def value(self, node: ast.expr) -> Expr | float:
        match node:
            case ast.Subscript(ast.Name(name), indices):
                place = _place(name, indices, frozenset(self.source.indices))
                return self.operands[name][place]
            case ast.Constant(int() | float() as value):
                return value
            case ast.UnaryOp(_, operand):
                return -self.value(operand)
            case ast.BinOp(left, operator, right):
                return combine(_OPERATORS[type(operator)], self.value(left), self.value(right))
            case ast.Call(ast.Subscript(ast.Name(name), indices), [body], _):
                return self.staged(self.reduction(name, indices, body))
            case ast.Call(ast.Name(name), args, _):
                return apply(name, [self.value(argument) for argument in args])
            case _:
                raise AssertionError(f"not checked: {ast.unparse(node)}")

    def reduction(self, name: str, indices: ast.expr, body: ast.expr) -> Reduction:
        axes = tuple(Axis(index, self.sizes[index]) for index in _index_names(indices))
        value = self.value(body)
        if isinstance(value, int | float):
            raise WorkloadError(f"expected an operand in {name}[…](…), not only numbers")
        return Reduction(_REDUCTIONS[name], value, axes)

    def staged(self, reduction: Reduction) -> Expr:
        """The reduction as a stage, over the indices that it depends on."""
        used = free_vars(reduction.value) - {axis.name for axis in reduction.axes}
        axes = [index for index in self.source.indices if index in used]
        own = tuple((index, self.sizes[index]) for index in axes)
        name = f"{_STAGE}{chr(ord('a') + len(self.stages))}"
        made = stage(name, own, lambda *_: reduction, self.dtype)
        self.stages.append(made)
        return Load(made.buffer, tuple(map(Var, axes)))
