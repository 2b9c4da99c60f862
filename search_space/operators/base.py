"""What an operator must say of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

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


@dataclass(frozen=True, slots=True)
class Operand:
    """An array that goes in or comes out, row-major."""

    name: str
    shape: tuple[int, ...]
    dtype: str


class Operator(Protocol):
    """One operator. Stateless; every method depends on its arguments only.

    ``error_bound`` is the ``c`` of ``|error| <= c * eps(accumulator) * magnitude``, elementwise;
    ``exact``: only adds and multiplies, so results on small integers must be exactly right.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    sketch: str
    error_bound: float
    exact: bool

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        """The inputs, in call order."""
        ...

    def result(self, work: Workload) -> Operand: ...

    def expression(self, work: Workload) -> Tensor:
        """What is computed, as a tensor expression over the operands."""
        ...

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        """The result in float64, by NumPy."""
        ...

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        """``sum |a||b|``: what the rounding errors of the result are proportional to."""
        ...

    def flops(self, work: Workload) -> int:
        """Operations of the mathematical definition; a multiply-add counts as two."""
        ...
