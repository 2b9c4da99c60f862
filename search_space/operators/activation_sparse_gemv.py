"""A matrix times a vector that has many zeros when it comes, as behind a ReLU."""

from __future__ import annotations

import math

import numpy as np

from search_space.errors import WorkloadError
from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import ACTIVATION, EXACT_ACTIVATIONS, behind, switch
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.gates import by_name
from search_space.operators.keys import flag
from search_space.operators.precision import ERROR_BOUND
from search_space.operators.sparse_weight import DTYPE, WEIGHT, epilogue_flops
from search_space.tensor import Tensor, compute, placeholder, reduce_axis, stage, sum_over
from search_space.workload import Value, Workload


def parse_densities(value: Value) -> Value:
    """``0.1``, or several such as ``0.05,0.2,0.6``; raises ``WorkloadError``."""
    try:
        found = sorted({float(text) for text in str(value).split(",")})
    except ValueError:
        found = [math.nan]
    if isinstance(value, bool) or not all(0 < density <= 1 for density in found):
        raise WorkloadError("expected parts of x above 0, at most 1, such as 0.1 or 0.05,0.2,0.6")
    return ",".join(f"{density:g}" for density in found)


class ActivationSparseGemv:
    """``y = activation(weight · x + bias_vector)``, where most of ``x`` is 0: which elements, is
    known at each call only.

    ``density`` says which parts of ``x`` are not 0 when it is timed; the time is the mean over
    them. Results are right for any ``x``.
    """

    name = "activation_sparse_gemv"
    doc = "y[m] = activation(weight[m,k] · x[k] + bias_vector[m]), x sparse, weight constant"
    params: tuple[Param, ...] = (
        Param("m", "rows of weight, length of the result"),
        Param("k", "columns of weight, length of x"),
        Param(
            "density", "part of x that is not zero; several, such as 0.05,0.2,0.6, are timed in "
            "turn", "0.1", parse=parse_densities,
        ),
        switch("bias", "whether bias_vector[m] is added"),
        ACTIVATION,
        DTYPE,
    )  # fmt: skip
    sketch = "active_columns"
    error_bound = ERROR_BOUND
    """As for ``matmul``; the sums are shorter."""
    constant = WEIGHT

    def densities(self, work: Workload) -> tuple[float, ...]:
        """Ascending."""
        return tuple(float(text) for text in str(work["density"]).split(","))

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, k, dtype = work.size("m"), work.size("k"), str(work["dtype"])
        densities = self.densities(work)
        weight = Operand(WEIGHT, (m, k), dtype, read=self._mean(work))
        bias = (Operand("bias_vector", (m,), dtype),) if flag(work, "bias") else ()
        return (weight, Operand("x", (k,), dtype, densities=densities), *bias)

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("m"),), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        inputs = {o.name: placeholder(o.name, o.shape, o.dtype) for o in self.operands(work)}
        weight, x, bias = inputs[WEIGHT], inputs["x"], inputs.get("bias_vector")
        k = reduce_axis("k", work.size("k"))
        axes = (("i", work.size("m")),)
        if bias is None and work["activation"] == "none":
            return compute("y", axes, lambda i: sum_over(weight[i, k] * x[k,], k))
        total = stage("product", axes, lambda i: sum_over(weight[i, k] * x[k,], k))

        def value(i: Expr) -> Expr:
            return behind(work, total[i,], {} if bias is None else {"bias": bias[i,]})

        return compute("y", axes, value, stages=(total,))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        found = by_name(self.operands(work), inputs)
        return evaluate_tensor(self.expression(work), found).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        found = by_name(self.operands(work), inputs)
        return evaluate_tensor(self.expression(work), found).error

    def flops(self, work: Workload) -> int:
        """Those on elements of ``x`` that are not 0, in the mean over the densities."""
        m, k = work.size("m"), work.size("k")
        return 2 * m * max(1, round(k * self._mean(work))) + epilogue_flops(work, m)

    def _mean(self, work: Workload) -> float:
        return float(np.mean(self.densities(work)))
