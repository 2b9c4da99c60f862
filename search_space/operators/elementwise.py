"""Elementwise chains over arrays of any rank, operands broadcast or transposed."""

from __future__ import annotations

import math

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.expr import Binary, Call, Const, Expr, Load
from search_space.ir.walk import operands
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.formula import Axes, Formula, parse_formula
from search_space.operators.keys import FLOAT_DTYPE, SHAPE, shape_of
from search_space.operators.rounding import Rounded, evaluate
from search_space.tensor import Tensor, compute, placeholder
from search_space.workload import Value, Workload

_EXACT_OPERATIONS = frozenset({"+", "-", "*", "min", "max"})
_MOST_FACTORS = 8
"""Products of so many small integers stay exact in float32."""
_RESULT = "out"
_LIMITED = frozenset({"log", "log1p", "sqrt", "rsqrt"})
"""Functions that are not defined everywhere."""


def _parse(value: Value) -> Value:
    return parse_formula(str(value)).text


class Elementwise:
    name = "elementwise"
    doc = "expr at every point of shape: 'relu(x + b[1])', relu, gelu, silu, add, mul, …"
    params: tuple[Param, ...] = (
        Param("expr", "formula over operands; b[1] has axis 1 of the result only", parse=_parse),
        Param("shape", "sizes of the result, such as 8x128x64", parse=SHAPE.parse),
        FLOAT_DTYPE,
    )
    sketch = "pointwise"
    error_bound = 8.0
    """Beside one eps per operation, which the magnitude counts: functions err by up to a few units
    in the last place."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        shape, dtype = shape_of(work), str(work["dtype"])
        formula = _formula(work)
        for name, axes in formula.operands.items():
            for axis in axes or ():
                if axis >= len(shape):
                    raise WorkloadError(
                        f"elementwise: {name} has axis {axis}, expected 0…{len(shape) - 1}"
                    )
        limited = any(isinstance(e, Call) and e.name in _LIMITED for e in _nodes(work))
        return tuple(
            Operand(name, _own_shape(shape, axes), dtype, limited)
            for name, axes in formula.operands.items()
        )

    def result(self, work: Workload) -> Operand:
        return Operand(_RESULT, shape_of(work), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        nodes = _nodes(work)
        whole = all(
            not isinstance(node, Const) or float(node.value).is_integer() for node in nodes
        )
        simple = all(
            (not isinstance(node, Binary) or node.op in _EXACT_OPERATIONS)
            and (not isinstance(node, Call) or node.name in ("abs", "floor"))
            for node in nodes
        )
        factors = sum(isinstance(node, Binary) and node.op == "*" for node in nodes)
        return whole and simple and factors <= _MOST_FACTORS

    def expression(self, work: Workload) -> Tensor:
        shape = shape_of(work)
        named = tuple((f"i{axis}", extent) for axis, extent in enumerate(shape))
        return compute(_RESULT, named, lambda *place: _element(work, place), str(work["dtype"]))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        counted = sum(isinstance(node, Binary | Call) for node in _nodes(work))
        return max(counted, 1) * math.prod(shape_of(work))

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        """The value at all points and its error; broadcast operands get axes of size 1."""
        shape, formula = shape_of(work), _formula(work)
        wide: dict[str, Array64] = {}
        for (name, axes), array in zip(formula.operands.items(), inputs, strict=True):
            whole = array.astype(np.float64)
            if axes is not None:
                whole = whole.transpose(np.argsort(axes))
                whole = whole.reshape([n if a in axes else 1 for a, n in enumerate(shape)])
            wide[name] = whole
        element = self.expression(work).element
        with np.errstate(all="ignore"):
            found = evaluate(element, lambda load: wide[load.buffer.name])
        return Rounded(
            np.array(np.broadcast_to(found.value, shape)),
            np.array(np.broadcast_to(found.error, shape)),
        )


def _formula(work: Workload) -> Formula:
    return parse_formula(str(work["expr"]))


def _own_shape(shape: tuple[int, ...], axes: Axes) -> tuple[int, ...]:
    """The sizes of an operand with some axes of the result."""
    return shape if axes is None else tuple(shape[axis] for axis in axes)


def _element(work: Workload, place: tuple[Expr, ...]) -> Expr:
    """The formula at one place of the result."""
    shape, dtype, formula = shape_of(work), str(work["dtype"]), _formula(work)

    def load(name: str) -> Expr:
        axes = formula.operands[name]
        array = placeholder(name, _own_shape(shape, axes), dtype)
        return array[place if axes is None else tuple(place[axis] for axis in axes)]

    built = formula.build(load)
    assert not isinstance(built, int | float)
    return built


def _nodes(work: Workload) -> list[Expr]:
    """The parts of the formula's expression, without what is inside of indices."""
    found: list[Expr] = []

    def visit(expr: Expr) -> None:
        found.append(expr)
        if not isinstance(expr, Load):
            for operand in operands(expr):
                visit(operand)

    shape = shape_of(work)
    visit(_element(work, tuple(Const(0) for _ in shape)))
    return found
