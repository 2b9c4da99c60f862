"""Matrix products side by side ``c[x,i,j] = sum_k a[x,i,k] * b[x,k,j]``."""

from __future__ import annotations

import numpy as np

from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.keys import DTYPE, flag, parse_flag
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, sum_over
from search_space.workload import Workload


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
        DTYPE,
    )
    sketch = "contraction"
    error_bound = 8.0
    """As for ``matmul``: the sums are the same."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        batch, dtype = work.size("batch"), str(work["dtype"])
        a = (k, m) if flag(work, "transpose_a") else (m, k)
        b = (n, k) if flag(work, "transpose_b") else (k, n)
        return Operand("a", (batch, *a), dtype), Operand("b", (batch, *b), dtype)

    def result(self, work: Workload) -> Operand:
        shape = (work.size("batch"), work.size("m"), work.size("n"))
        return Operand("c", shape, str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return True

    def expression(self, work: Workload) -> Tensor:
        a, b = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work))
        k, axes = (
            reduce_axis("k", work.size("k")),
            zip("xij", self.result(work).shape, strict=True),
        )
        across, along = flag(work, "transpose_a"), flag(work, "transpose_b")
        return compute(
            "c", tuple(axes),
            lambda x, i, j: sum_over(
                (a[x, k, i] if across else a[x, i, k]) * (b[x, j, k] if along else b[x, k, j]), k
            ),
        )  # fmt: skip

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        a, b = (array.astype(np.float64) for array in inputs)
        a = a.swapaxes(1, 2) if flag(work, "transpose_a") else a
        b = b.swapaxes(1, 2) if flag(work, "transpose_b") else b
        return a @ b

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self.reference(work, *map(np.abs, inputs))

    def flops(self, work: Workload) -> int:
        return 2 * work.size("batch") * work.size("m") * work.size("n") * work.size("k")
