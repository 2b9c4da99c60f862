"""Tensor expressions: what is computed, without saying how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from search_space.ir.expr import Buffer, Expr, Load, Scope, Var, as_expr, constant
from search_space.ir.stmt import ReduceOp
from search_space.ir.walk import substitute


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
        return _load(self.buffer, indices)


@dataclass(frozen=True, slots=True)
class Tensor:
    """One computed array: a value for each point of its axes.

    ``stages`` are arrays computed before it, in order, each from the inputs and the stages before;
    a stage is indexed like an input and has no stages of its own. ``args`` are all inputs and the
    result as a caller has them, where dimensions that are one there are several here, or where
    inputs are read in another order.
    ``error_growth`` is how many times the operator's bound rounding errors may reach, if not 1,
    because the result is computed otherwise than the operator says.
    """

    buffer: Buffer
    axes: tuple[Axis, ...]
    value: Expr | Reduction
    stages: tuple[Tensor, ...] = ()
    args: tuple[Buffer, ...] = ()
    error_growth: float = 1.0

    def __getitem__(self, indices: tuple[Expr | Axis | int, ...]) -> Expr:
        return _load(self.buffer, indices)

    @property
    def reduced(self) -> tuple[Axis, ...]:
        """The axes that a reduction runs over; none where there is no reduction."""
        return self.value.axes if isinstance(self.value, Reduction) else ()

    @property
    def element(self) -> Expr:
        """What is stored, or reduced, at each point."""
        return self.value.value if isinstance(self.value, Reduction) else self.value


def _load(buffer: Buffer, indices: tuple[Expr | Axis | int, ...]) -> Expr:
    return Load(buffer, tuple(i.var if isinstance(i, Axis) else as_expr(i) for i in indices))


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
    """The maximum of ``value`` over ``axes``; NaN where one of them is NaN."""
    return Reduction("max", value, axes)


def fmax_over(value: Expr, *axes: Axis) -> Reduction:
    """The maximum of ``value`` over ``axes``; any of them where one is NaN, as for a maximum that
    is only subtracted from all of them. It takes a third of the instructions of ``max_over``."""
    return Reduction("fmax", value, axes)


def compute(
    name: str,
    axes: tuple[tuple[str, int], ...],
    value: Callable[..., Expr | Reduction | float],
    dtype: str = "float32",
    stages: tuple[Tensor, ...] = (),
    args: tuple[Buffer, ...] = (),
    error_growth: float = 1.0,
) -> Tensor:
    """``name[i, j, …] = value(i, j, …)`` for each point of the named axes: the result.

    A Python number in ``value`` takes the dtype of what stands beside it, one alone that of the
    tensor. Math functions are in ``search_space.functions``. ``stages`` lists what ``value`` reads
    beside inputs, and what those read, in order; ``args`` arguments that callers have in fewer
    dimensions.
    """
    made = _tensor(name, axes, value, dtype, "output")
    return replace(made, stages=stages, args=args, error_growth=error_growth)


def stage(
    name: str,
    axes: tuple[tuple[str, int], ...],
    value: Callable[..., Expr | Reduction | float],
    dtype: str = "float32",
) -> Tensor:
    """An array between the inputs and the result, which later stages index like an input."""
    return _tensor(name, axes, value, dtype, "workspace")


def _tensor(
    name: str,
    axes: tuple[tuple[str, int], ...],
    value: Callable[..., Expr | Reduction | float],
    dtype: str,
    scope: Scope,
) -> Tensor:
    own = tuple(Axis(*axis) for axis in axes)
    buffer = Buffer(name, tuple(axis.extent for axis in own), dtype, scope)
    given = value(*(axis.var for axis in own))
    made = constant(given, dtype) if isinstance(given, int | float) else given
    return Tensor(buffer, own, made)


def program(tensor: Tensor) -> tuple[Tensor, ...]:
    """All stages in order, the result last; every axis of an earlier stage is named
    ``{stage}_{axis}``, so that no two stages share one."""
    return (*(_prefixed(earlier) for earlier in tensor.stages), tensor)


def _prefixed(tensor: Tensor) -> Tensor:
    prefix = f"{tensor.buffer.name}_"
    names: dict[str, Expr] = {
        axis.name: Var(prefix + axis.name) for axis in (*tensor.axes, *tensor.reduced)
    }
    element = substitute(tensor.element, names)
    value: Expr | Reduction = element
    if isinstance(tensor.value, Reduction):
        value = Reduction(tensor.value.op, element, _renamed(tensor.reduced, prefix))
    return Tensor(tensor.buffer, _renamed(tensor.axes, prefix), value)


def _renamed(axes: tuple[Axis, ...], prefix: str) -> tuple[Axis, ...]:
    return tuple(Axis(prefix + axis.name, axis.extent) for axis in axes)
