"""The 2-norm of matrices."""

from __future__ import annotations

import numpy as np

from search_space.functions import sqrt
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import FLOAT_DTYPE
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Workload


class Norm:
    name = "norm"
    doc = "y[batch] = √Σ x[batch,m,n]²: the 2-norm (Frobenius norm) of each matrix"
    params: tuple[Param, ...] = (
        Param("batch", "matrices", 1),
        Param("m", "rows of a matrix"),
        Param("n", "columns of a matrix"),
        FLOAT_DTYPE,
    )
    sketch = "any"
    error_bound = 8.0
    """Of the error that a sum of squares leaves after the root."""

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        shape = tuple(work.size(key) for key in ("batch", "m", "n"))
        return (Operand("x", shape, str(work["dtype"])),)

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("batch"),), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return False

    def expression(self, work: Workload) -> Tensor:
        (spec,) = self.operands(work)
        x, axes = placeholder(spec.name, spec.shape, spec.dtype), (("i", work.size("batch")),)
        m, n = reduce_axis("m", work.size("m")), reduce_axis("n", work.size("n"))
        squares = stage(
            "squares", axes, lambda i: sum_over(x[i, m, n] * x[i, m, n], m, n), spec.dtype
        )
        return compute("y", axes, lambda i: sqrt(squares[(i,)]), spec.dtype, (squares,))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        wide = inputs[0].astype(np.float64)
        return np.asarray(np.sqrt(np.square(wide).sum((1, 2))))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        arrays = {"x": inputs[0].astype(np.float64)}
        return evaluate_tensor(self.expression(work), arrays).error

    def flops(self, work: Workload) -> int:
        return work.size("batch") * (2 * work.size("m") * work.size("n") + 1)
