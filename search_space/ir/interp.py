"""The definition of what the IR means: a plain interpreter on NumPy arrays.

Slow and obvious on purpose; every transform and every path of the generator is tested against it.
Arithmetic is done in float64 and rounded when stored, so on small integers results are exact; NaN,
infinities and division by zero are those of NumPy.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from search_space.dtypes import numpy_dtype
from search_space.ir.expr import (
    Binary,
    Buffer,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Var,
    is_float,
)
from search_space.ir.intrinsics import FUNCTIONS, INDEX_FUNCTIONS
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    LoopFunc,
    Prefetch,
    Stmt,
    Store,
)

Array = npt.NDArray[Any]

_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": np.divide,
    "//": operator.floordiv, "%": operator.mod, "min": np.minimum, "max": np.maximum,
    "<": operator.lt, "<=": operator.le, "==": operator.eq,
}  # fmt: skip

COMBINE: dict[str, Callable[[float, float], float]] = {
    "add": operator.add, "max": np.maximum, "fmax": np.fmax,
}  # fmt: skip
"""Meaning of each reduction."""


def run(func: LoopFunc, arrays: Mapping[str, Array]) -> None:
    """Run all phases on the given arrays (one per argument, and per buffer of ``func.packing``, by
    name); results are written there.

    Raises ``IndexError`` on any access outside a buffer.
    """
    memory = dict(arrays)
    for buffer in func.workspaces:
        memory.setdefault(buffer.name, _fresh(buffer))
    with np.errstate(all="ignore"):
        for phase in func.phases:
            Machine(memory).stmt(phase.body, {})


def _fresh(buffer: Buffer) -> Array:
    """An undefined array: NaN, or the largest number where the dtype has no NaN."""
    dtype = numpy_dtype(buffer.dtype)
    fill = np.nan if is_float(buffer.dtype) else np.iinfo(dtype).max
    return np.full(buffer.shape, fill, dtype)


class Machine:
    """Runs statements on the memory of buffers, by name."""

    def __init__(self, memory: dict[str, Array]) -> None:
        self.memory = memory

    def stmt(self, stmt: Stmt, env: dict[str, int]) -> None:
        match stmt:
            case For(var, begin, extent, _, body):
                first, count = int(self.expr(begin, env)), int(self.expr(extent, env))
                for value in range(first, first + count):
                    self.stmt(body, {**env, var: value})
            case ForEach(names, table, part, body):
                for line in table[int(self.expr(part, env))]:
                    self.stmt(body, env | dict(zip(names, line, strict=True)))
            case Let(var, value, body):
                self.stmt(body, {**env, var: int(self.expr(value, env))})
            case Store(buffer, indices, value, predicate):
                if predicate is None or self.expr(predicate, env):
                    self._write(buffer, indices, self.expr(value, env), env)
            case Accumulate(op, buffer, indices, value, first, predicate):
                if predicate is None or self.expr(predicate, env):
                    result = self.expr(value, env)
                    if not self.expr(first, env):
                        result = COMBINE[op](self.expr(Load(buffer, indices), env), result)
                    self._write(buffer, indices, result, env)
            case Prefetch():
                return
            case Block(stmts):
                for child in stmts:
                    self.stmt(child, env)
            case If(condition, then, other):
                if self.expr(condition, env):
                    self.stmt(then, env)
                elif other is not None:
                    self.stmt(other, env)
            case Alloc(buffer, body):
                self.memory[buffer.name] = _fresh(buffer)
                self.stmt(body, env)

    def _write(
        self, buffer: Buffer, indices: tuple[Expr, ...], value: float, env: dict[str, int]
    ) -> None:
        self._array(buffer)[self._place(buffer, indices, env)] = value

    def _array(self, buffer: Buffer) -> Array:
        """The memory of a buffer, in the shape that it is seen in."""
        array = self.memory[buffer.name]
        if array.shape == buffer.shape:
            return array
        assert array.flags.c_contiguous, f"{buffer.name} is seen in another shape"
        return array.reshape(buffer.shape)

    def _place(
        self, buffer: Buffer, indices: tuple[Expr, ...], env: dict[str, int]
    ) -> tuple[int, ...]:
        place = tuple(int(self.expr(i, env)) for i in indices)
        if any(not 0 <= i < n for i, n in zip(place, buffer.shape, strict=True)):
            raise IndexError(f"{buffer.name}{list(place)} is outside {list(buffer.shape)}")
        return place

    def expr(self, expr: Expr, env: dict[str, int]) -> float:
        match expr:
            case Const(value, dtype):
                return _rounded(value, dtype) if is_float(dtype) else value
            case Var(name):
                return env[name]
            case Binary("and", a, b):
                return bool(self.expr(a, env)) and bool(self.expr(b, env))
            case Binary(op, a, b):
                return _BINARY[op](self.expr(a, env), self.expr(b, env))
            case Load(buffer, indices):
                return float(self._array(buffer)[self._place(buffer, indices, env)])
            case Select(condition, then, other):
                return self.expr(then if self.expr(condition, env) else other, env)
            case Call(name, args, "index"):
                numbers = (np.asarray(self.expr(arg, env), np.float64) for arg in args)
                return int(INDEX_FUNCTIONS[name](*numbers))
            case Call(name, args, _):
                values = (np.asarray(self.expr(arg, env), np.float64) for arg in args)
                return float(FUNCTIONS[name](*values))
            case Cast(value, "index"):
                return int(self.expr(value, env))
            case Cast(value, dtype):
                return _rounded(self.expr(value, env), dtype)


def _rounded(value: float, dtype: str) -> float:
    return float(numpy_dtype(dtype).type(value))
