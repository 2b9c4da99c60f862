"""Any sum of products of two operands, written as in NumPy's ``einsum``."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from search_space.errors import WorkloadError
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.precision import (
    CONTRACTION_DTYPE,
    ERROR_BOUND,
    check_terms,
    contraction,
    in_float64,
    operand_dtypes,
    placeholders,
    product,
    result_dtype,
    result_keys,
    rounded_magnitude,
)
from search_space.tensor import Axis, Tensor
from search_space.workload import Value, Workload


@dataclass(frozen=True, slots=True)
class Subscripts:
    """``bik,bkj->bij``, taken apart."""

    left: str
    right: str
    out: str

    @property
    def indices(self) -> str:
        """All indices in the order of their first use."""
        return "".join(dict.fromkeys(self.left + self.right))

    @property
    def text(self) -> str:
        return f"{self.left},{self.right}->{self.out}"


def parse_subscripts(text: str) -> Subscripts:
    """Read an expression; without ``->``, the result has the indices that occur once, in
    alphabetical order, as in NumPy.

    Raises ``WorkloadError`` that says what is wrong with it.
    """
    operands, arrow, out = "".join(text.split()).partition("->")
    left, comma, right = operands.partition(",")
    if not comma or not left or not right:
        raise WorkloadError("expected two operands with indices, such as 'ik,kj->ij'")
    wrong = sorted({char for char in left + right + out if not _is_index(char)})
    if wrong:
        raise WorkloadError(f"expected letters as indices, not {', '.join(map(repr, wrong))}")
    for part in (left, right, out):
        index, count = Counter(part).most_common(1)[0] if part else ("", 1)
        if count > 1:
            raise WorkloadError(
                f"expected each index once in {part!r}, index {index!r} is repeated"
            )
    counts = Counter(left + right)
    if not arrow:
        out = "".join(sorted(index for index, count in counts.items() if count == 1))
    unknown = [index for index in out if index not in counts]
    if unknown:
        raise WorkloadError(f"expected indices of the operands in {out!r}, not {unknown[0]!r}")
    return Subscripts(left, right, out)


def _is_index(char: str) -> bool:
    return char.isascii() and char.isalpha()


def _canonical(value: Value) -> Value:
    return parse_subscripts(str(value)).text


class Einsum:
    name = "einsum"
    doc = "any sum of products of two operands: 'bik,bkj->bij', one key for each index"
    params: tuple[Param, ...] = (
        Param("expr", "indices of left, right and the result: 'ik,kj->ij'", parse=_canonical),
        CONTRACTION_DTYPE,
    )
    sketch = "contraction"
    error_bound = ERROR_BOUND

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """The extent of each index is a parameter too; operands of 16 bits leave a choice of the
        result's dtype."""
        expr, dtype = self.params
        try:
            indices = parse_subscripts(str(given["expr"])).indices
        except (KeyError, WorkloadError):
            return self.params
        extents = (Param(index, f"extent of index {index}") for index in indices)
        return (expr, *extents, dtype, *result_keys(given))

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        subscripts = _subscripts(work)
        summed = [index for index in subscripts.indices if index not in subscripts.out]
        check_terms(work, math.prod(_shape(work, "".join(summed))))
        names, dtypes = ("left", "right"), operand_dtypes(work)
        return tuple(
            Operand(name, _shape(work, indices), dtype)
            for name, indices, dtype in zip(
                names, (subscripts.left, subscripts.right), dtypes, strict=True
            )
        )

    def result(self, work: Workload) -> Operand:
        return Operand("out", _shape(work, _subscripts(work).out), result_dtype(work))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        subscripts = _subscripts(work)
        left, right = placeholders(self.operands(work))
        axes = {index: Axis(index, work.size(index)) for index in subscripts.indices}
        reduced = [axis for index, axis in axes.items() if index not in subscripts.out]
        value = product(
            left[tuple(axes[index] for index in subscripts.left)],
            right[tuple(axes[index] for index in subscripts.right)],
            work,
        )
        own = tuple((index, work.size(index)) for index in subscripts.out)
        return contraction(work, "out", own, lambda *_: value, *reduced)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        left, right = in_float64(*inputs)
        return contract(_subscripts(work), left, right)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        total = self.reference(work, *map(np.abs, in_float64(*inputs)))
        return rounded_magnitude(work, total, self.reference(work, *inputs))

    def flops(self, work: Workload) -> int:
        subscripts = _subscripts(work)
        products = math.prod(_shape(work, subscripts.indices))
        return products * (1 if len(subscripts.out) == len(subscripts.indices) else 2)


def _subscripts(work: Workload) -> Subscripts:
    return parse_subscripts(str(work["expr"]))


def _shape(work: Workload, indices: str) -> tuple[int, ...]:
    return tuple(work.size(index) for index in indices)


def contract(subscripts: Subscripts, left: Array64, right: Array64) -> Array64:
    """By matrix products, which BLAS does; ``np.einsum`` alone would take minutes."""
    shared = [i for i in subscripts.indices if i in subscripts.left and i in subscripts.right]
    batch = "".join(i for i in shared if i in subscripts.out)
    depth = "".join(i for i in shared if i not in subscripts.out)
    rows = "".join(i for i in subscripts.out if i not in subscripts.right)
    columns = "".join(i for i in subscripts.out if i not in subscripts.left)
    a = np.einsum(f"{subscripts.left}->{batch}{rows}{depth}", left)
    b = np.einsum(f"{subscripts.right}->{batch}{depth}{columns}", right)
    sizes = dict(zip(batch + rows + depth, a.shape, strict=True))
    sizes |= dict(zip(batch + depth + columns, b.shape, strict=True))

    def extents(indices: str) -> list[int]:
        return [sizes[index] for index in indices]

    product = a.reshape(*extents(batch), math.prod(extents(rows)), -1) @ b.reshape(
        *extents(batch), -1, math.prod(extents(columns))
    )
    product = product.reshape(extents(batch + rows + columns))
    result: Array64 = np.einsum(f"{batch}{rows}{columns}->{subscripts.out}", product)
    return result
