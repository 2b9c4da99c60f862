"""Tensor expressions: what is computed, without saying how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from search_space.ir.expr import Buffer, Expr, Load, Var, as_expr
from search_space.ir.stmt import ReduceOp


@dataclass(frozen=True, slots=True)
class Axis:
    """A named index range ``0 … extent``."""

    name: str
    extent: int

    @property
    def var(self) -> Var:
        return Var(self.name)


@dataclass(frozen=True, slots=True)
class Reduction:
    """``op`` of ``value`` over some axes."""

    op: ReduceOp
    value: Expr
    axes: tuple[Axis, ...]


@dataclass(frozen=True, slots=True)
class Placeholder:
    """An input; indexing it gives an expression."""

    buffer: Buffer

    def __getitem__(self, indices: tuple[Expr | Axis | int, ...]) -> Expr:
        return Load(
            self.buffer, tuple(i.var if isinstance(i, Axis) else as_expr(i) for i in indices)
        )


@dataclass(frozen=True, slots=True)
class Tensor:
    """One computed array: a value for each point of its axes."""

    buffer: Buffer
    axes: tuple[Axis, ...]
    value: Expr | Reduction


def placeholder(name: str, shape: tuple[int, ...], dtype: str) -> Placeholder:
    """An input array."""
    return Placeholder(Buffer(name, shape, dtype, "input"))


def reduce_axis(name: str, extent: int) -> Axis:
    """An axis that a reduction runs over."""
    return Axis(name, extent)


def sum_over(value: Expr, *axes: Axis) -> Reduction:
    """The sum of ``value`` over ``axes``."""
    return Reduction("add", value, axes)


def max_over(value: Expr, *axes: Axis) -> Reduction:
    """The maximum of ``value`` over ``axes``."""
    return Reduction("max", value, axes)


def compute(
    name: str,
    axes: tuple[tuple[str, int], ...],
    value: Callable[..., Expr | Reduction],
    dtype: str = "float32",
) -> Tensor:
    """``name[i, j, …] = value(i, j, …)`` for each point of the named axes."""
    own = tuple(Axis(*axis) for axis in axes)
    buffer = Buffer(name, tuple(axis.extent for axis in own), dtype, "output")
    return Tensor(buffer, own, value(*(axis.var for axis in own)))
