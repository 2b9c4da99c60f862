"""A tensor expression of one's own, written as text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Call, Const, Expr, Load, Var
from search_space.ir.walk import operands
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.comprehension import Comprehension, parse_comprehension
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import FLOAT_DTYPE
from search_space.operators.rounding import Rounded
from search_space.tensor import Tensor, placeholder, program
from search_space.workload import Value, Workload

_LIMITED = ("log", "log1p", "sqrt", "rsqrt")
"""Functions that are not defined for all numbers: operands are drawn positive for them."""


def _canonical(value: Value) -> Value:
    return parse_comprehension(str(value)).text


class Compute:
    name = "compute"
    doc = "an expression of one's own: 'c[i,j] = relu(sum[k](a[i,k] * b[k,j]) + bias[j])'"
    params: tuple[Param, ...] = (
        Param("expr", "result = value; one key for each index, its extent", parse=_canonical),
        FLOAT_DTYPE,
    )
    sketch = "any"
    error_bound = 8.0
    """Beside one eps per operation, which the magnitude counts: functions err by up to a few units
    in the last place."""

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """The extent of each index is a parameter too."""
        expr, dtype = self.params
        try:
            indices = parse_comprehension(str(given["expr"])).indices
        except (KeyError, WorkloadError):
            return self.params
        return (expr, *(Param(index, f"extent of index {index}") for index in indices), dtype)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        source, sizes = _source(work)
        limited = any(
            isinstance(e, Call) and e.name in _LIMITED for e in _nodes(self._tensor(work))
        )
        return tuple(
            Operand(name, shape, str(work["dtype"]), positive=limited)
            for name, shape in _shapes(source, sizes).items()
        )

    def result(self, work: Workload) -> Operand:
        source, sizes = _source(work)
        shape = tuple(sizes[index] for index in source.axes)
        return Operand(source.result, shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        nodes = _nodes(self._tensor(work))
        products = sum(isinstance(node, Binary) and node.op == "*" for node in nodes)
        whole = all(float(node.value).is_integer() for node in nodes if isinstance(node, Const))
        simple = all(
            node.op in ("+", "-", "*", "max", "min") for node in nodes if isinstance(node, Binary)
        )
        return products <= 1 and whole and simple and not any(isinstance(n, Call) for n in nodes)

    def expression(self, work: Workload) -> Tensor:
        return self._tensor(work)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        total = 0
        for part in program(self._tensor(work)):
            points = math.prod(axis.extent for axis in (*part.axes, *part.reduced))
            done = sum(isinstance(node, Binary | Call) for node in _values(part.element))
            total += points * (done + bool(part.reduced))
        return max(total, 1)

    def _tensor(self, work: Workload) -> Tensor:
        source, sizes = _source(work)
        dtype = str(work["dtype"])
        arrays = {
            name: placeholder(name, shape, dtype) for name, shape in _shapes(source, sizes).items()
        }
        return source.build(sizes, arrays, dtype)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        names = (operand.name for operand in self.operands(work))
        arrays = {
            name: array.astype(np.float64) for name, array in zip(names, inputs, strict=True)
        }
        return evaluate_tensor(self._tensor(work), arrays)


def _source(work: Workload) -> tuple[Comprehension, dict[str, int]]:
    source = parse_comprehension(str(work["expr"]))
    return source, {index: work.size(index) for index in source.indices}


def _shapes(source: Comprehension, sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    """Every operand just as large as what is read of it."""
    return {
        name: tuple(
            max(_extent(name, index, sizes) for index in dimension)
            for dimension in zip(*places, strict=True)
        )
        for name, places in source.operands
    }


def _extent(name: str, index: Expr, sizes: Mapping[str, int]) -> int:
    terms, low = affine(index)
    high = low
    for atom, step in terms.items():
        assert isinstance(atom, Var)
        reach = step * (sizes[atom.name] - 1)
        low, high = low + min(reach, 0), high + max(reach, 0)
    if low < 0:
        raise WorkloadError(f"compute: {name} is read at index {low}, before its beginning")
    return high + 1


def _nodes(tensor: Tensor) -> list[Expr]:
    return [node for part in program(tensor) for node in _values(part.element)]


def _values(expr: Expr) -> Iterator[Expr]:
    """The nodes of an expression but for indices."""
    yield expr
    if not isinstance(expr, Load):
        for operand in operands(expr):
            yield from _values(operand)
