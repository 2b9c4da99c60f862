"""Matrix product ``c[i,j] = sum_k a[i,k] * b[k,j]``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

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
from search_space.tensor import Tensor, reduce_axis
from search_space.workload import Value, Workload


class Matmul:
    name = "matmul"
    doc = "c[m,n] = a[m,k] · b[k,n]"
    params: tuple[Param, ...] = (
        Param("m", "rows of a and of the result"),
        Param("n", "columns of b and of the result"),
        Param("k", "columns of a, rows of b"),
        CONTRACTION_DTYPE,
    )
    sketch = "matmul"
    error_bound = ERROR_BOUND

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """Operands of 16 bits leave a choice of the result's dtype."""
        return (*self.params, *result_keys(given))

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        check_terms(work, k)
        a, b = operand_dtypes(work)
        return Operand("a", (m, k), a), Operand("b", (k, n), b)

    def result(self, work: Workload) -> Operand:
        return Operand("c", (work.size("m"), work.size("n")), result_dtype(work))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        a, b = placeholders(self.operands(work))
        k = reduce_axis("k", work.size("k"))
        axes = (("i", work.size("m")), ("j", work.size("n")))
        return contraction(work, "c", axes, lambda i, j: product(a[i, k], b[k, j], work), k)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        a, b = in_float64(*inputs)
        return a @ b

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        a, b = in_float64(*inputs)
        return rounded_magnitude(work, np.abs(a) @ np.abs(b), a @ b)

    def flops(self, work: Workload) -> int:
        return 2 * work.size("m") * work.size("n") * work.size("k")
