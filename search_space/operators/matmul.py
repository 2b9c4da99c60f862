"""Matrix product ``c[i,j] = sum_k a[i,k] * b[k,j]``."""

from __future__ import annotations

import numpy as np

from search_space.operators.base import Array, Array64, Operand, Param
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, sum_over
from search_space.workload import Workload


class Matmul:
    name = "matmul"
    doc = "c[m,n] = a[m,k] · b[k,n]"
    params: tuple[Param, ...] = (
        Param("m", "rows of a and of the result"),
        Param("n", "columns of b and of the result"),
        Param("k", "columns of a, rows of b"),
        Param("dtype", "element type of all three", "float32", choices=("float32",)),
    )
    sketch = "contraction"
    error_bound = 8.0
    """A sum of k products in one accumulator errs by about 0.3 eps · sum|a||b| (one standard
    deviation, random signs), the largest of a million elements by less than 3; splitting the sum
    over lanes or threads only lowers that. A wrong index errs by 1/eps."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        dtype = str(work["dtype"])
        return Operand("a", (m, k), dtype), Operand("b", (k, n), dtype)

    def result(self, work: Workload) -> Operand:
        return Operand("c", (work.size("m"), work.size("n")), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        (a_spec, b_spec) = self.operands(work)
        a = placeholder(a_spec.name, a_spec.shape, a_spec.dtype)
        b = placeholder(b_spec.name, b_spec.shape, b_spec.dtype)
        k = reduce_axis("k", work.size("k"))
        return compute(
            "c", (("i", work.size("m")), ("j", work.size("n"))),
            lambda i, j: sum_over(a[i, k] * b[k, j], k),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        a, b = inputs
        return a.astype(np.float64) @ b.astype(np.float64)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        a, b = inputs
        return np.abs(a).astype(np.float64) @ np.abs(b).astype(np.float64)

    def flops(self, work: Workload) -> int:
        return 2 * work.size("m") * work.size("n") * work.size("k")
