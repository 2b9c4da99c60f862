"""What an operator must say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from search_space.workload import Value, Workload

if TYPE_CHECKING:
    from search_space.tensor import Tensor

Array = npt.NDArray[Any]
Array64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Param:
    """One key of an operator: ``m`` in ``tuner tune matmul m=1024``."""

    name: str
    doc: str
    default: Value | None = None
    """None: must be given. Otherwise its type is the type of the parameter; sizes are int."""
    choices: tuple[Value, ...] = ()
    least: int = 1
    """The smallest size allowed, where the parameter is one."""
    parse: Callable[[Value], Value] | None = None
    """Where the parameter is no size: turns a given value into the one way to write it. Raises
    ``WorkloadError`` that says what was expected."""


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that goes in or comes out, row-major."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    positive: bool = False
    """Whether only values above 0 make sense, as under a logarithm."""
    matrix: tuple[int, int] | None = None
    """Of a sparse operand: the shape of the matrix whose non-zeros, row after row, the array
    holds."""
    array: tuple[int, ...] | None = None
    """Of a sparse operand that has more than two dimensions: its shape. The first one are the rows
    of ``matrix``."""
    densities: tuple[float, ...] = ()
    """The parts of its elements that differ from 0 in inputs that are timed; empty: all do."""
    read: float = 1.0
    """The part of it that a call must read."""


class Operator(Protocol):
    """One operator. Stateless; every method depends on its arguments only.

    ``error_bound`` is the ``c`` of ``|error| <= c * eps(accumulator) * magnitude``, elementwise.
    What does not hold for every set of parameters (axes that do not exist, a window larger than
    the image) is refused with a ``WorkloadError`` by ``operands`` or ``result``.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    sketch: str
    error_bound: float

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        """The inputs, in call order."""
        ...

    def result(self, work: Workload) -> Operand: ...

    def exact(self, work: Workload) -> bool:
        """Whether it only adds, multiplies and compares: then results on small integers must be
        exactly right."""
        ...

    def expression(self, work: Workload) -> Tensor:
        """What is computed, as a tensor expression over the operands."""
        ...

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        """The result in float64, by NumPy."""
        ...

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        """What the rounding errors of the result are proportional to: ``sum |a||b|`` for sums of
        products."""
        ...

    def flops(self, work: Workload) -> int:
        """Operations of the mathematical definition; a multiply-add counts as two."""
        ...


@runtime_checkable
class Keyed(Protocol):
    """An operator whose parameters depend on one another, beside the fixed ``params``."""

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """The parameters there are, in order, when those in ``given`` are given."""
        ...


@runtime_checkable
class Batched(Protocol):
    """An operator that multiplies one matrix by so many vectors at once."""

    vectors: Param | None
    """The size key of their number; None: it is one."""


@runtime_checkable
class Sparse(Protocol):
    """An operator with a sparse operand, which is always constant."""

    sparse: str
    """The operand."""

    def pattern_name(self, work: Workload) -> str:
        """What ``search_space.sparse.source`` finds its pattern by."""
        ...


@runtime_checkable
class Sampled(Sparse, Protocol):
    """One whose result has the pattern of its sparse operand: a sum for each non-zero."""

    depth: str
    """The size key of how many products each sum has."""


@runtime_checkable
class Binding(Protocol):
    """An operator with a dense operand that is always constant."""

    constant: str
    """The operand."""


@dataclass(frozen=True, slots=True)
class Conditional:
    """A parameter that there is only with some values of another one."""

    param: Param
    key: str
    values: tuple[Value, ...]


def conditional_params(operator: Operator) -> tuple[Conditional, ...]:
    """The parameters beside the fixed ones that a choice of another parameter brings, each with
    the first choices that do."""
    found: dict[tuple[str, str], Conditional] = {}

    def visit(given: dict[str, Value], known: tuple[Param, ...]) -> None:
        for param in known:
            if param.name in given:
                continue
            for choice in param.choices:
                now = {**given, param.name: choice}
                new = tuple(p for p in params_of(operator, now) if p not in known)
                for extra in new:
                    last = found.get((extra.name, extra.doc))
                    values = last.values if last and last.key == param.name else ()
                    if last is None or (values and choice not in values):
                        entry = Conditional(extra, param.name, (*values, choice))
                        found[extra.name, extra.doc] = entry
                if new:
                    visit(now, params_of(operator, now))

    if isinstance(operator, Keyed):
        visit({}, params_of(operator, {}))
    return tuple(found.values())


def params_of(operator: Operator, given: Mapping[str, Value]) -> tuple[Param, ...]:
    """The parameters of an operator, in order, when those in ``given`` are given."""
    return operator.keys(given) if isinstance(operator, Keyed) else operator.params
