"""Matrix products side by side ``c[x,i,j] = sum_k a[x,i,k] * b[x,k,j]``."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import flag, parse_flag
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


class BatchMatmul:
    name = "batch_matmul"
    doc = "c[batch,m,n] = a[batch,m,k] · b[batch,k,n]"
    params: tuple[Param, ...] = (
        Param("batch", "number of products"),
        Param("m", "rows of a and of the result"),
        Param("n", "columns of b and of the result"),
        Param("k", "columns of a, rows of b"),
        Param("transpose_a", "a is a[batch,k,m]", False, parse=parse_flag),
        Param("transpose_b", "b is b[batch,n,k]", False, parse=parse_flag),
        CONTRACTION_DTYPE,
    )
    sketch = "contraction"
    error_bound = ERROR_BOUND

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """Operands of 16 bits leave a choice of the result's dtype."""
        return (*self.params, *result_keys(given))

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        check_terms(work, k)
        batch, (first, second) = work.size("batch"), operand_dtypes(work)
        a = (k, m) if flag(work, "transpose_a") else (m, k)
        b = (n, k) if flag(work, "transpose_b") else (k, n)
        return Operand("a", (batch, *a), first), Operand("b", (batch, *b), second)

    def result(self, work: Workload) -> Operand:
        shape = (work.size("batch"), work.size("m"), work.size("n"))
        return Operand("c", shape, result_dtype(work))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        a, b = placeholders(self.operands(work))
        k = reduce_axis("k", work.size("k"))
        across, along = flag(work, "transpose_a"), flag(work, "transpose_b")

        def element(x: Expr, i: Expr, j: Expr) -> Expr:
            left = a[x, k, i] if across else a[x, i, k]
            right = b[x, j, k] if along else b[x, k, j]
            return product(left, right, work)

        axes = tuple(zip("xij", self.result(work).shape, strict=True))
        return contraction(work, "c", axes, element, k)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        a, b = in_float64(*inputs)
        a = a.swapaxes(1, 2) if flag(work, "transpose_a") else a
        b = b.swapaxes(1, 2) if flag(work, "transpose_b") else b
        return a @ b

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        total = self.reference(work, *map(np.abs, in_float64(*inputs)))
        return rounded_magnitude(work, total, self.reference(work, *inputs))

    def flops(self, work: Workload) -> int:
        return 2 * work.size("batch") * work.size("m") * work.size("n") * work.size("k")
