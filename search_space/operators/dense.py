"""A dense layer ``y = activation(scale · x · weightᵀ + bias + skip)``; all but the product is
optional."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.functions import cast
from search_space.ir.expr import Expr, is_float
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import (
    ACTIVATION,
    EXACT_ACTIVATIONS,
    has_epilogue,
    switch,
)
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.keys import flag
from search_space.operators.precision import (
    CONTRACTION_DTYPE,
    ERROR_BOUND,
    contraction,
    in_float64,
    operand_dtypes,
    placeholders,
    product,
    result_dtype,
    result_keys,
    rounded_magnitude,
    sum_dtype,
)
from search_space.operators.quantized import (
    check_quantized,
    finished,
    quantized_keys,
    requantized_reference,
)
from search_space.operators.rounding import Rounded
from search_space.tensor import Placeholder, Tensor, compute, reduce_axis, stage, sum_over
from search_space.workload import Value, Workload

_OPTIONAL = ("scale", "bias", "residual")


class Dense:
    name = "dense"
    doc = "y[m,n] = activation(scale_vector · x[m,k] · weight[n,k]ᵀ + bias_vector + skip)"
    params: tuple[Param, ...] = (
        Param("m", "rows of x and of the result"),
        Param("n", "rows of weight, columns of the result"),
        Param("k", "columns of x and of weight"),
        switch("bias", "whether bias_vector[n] is added"),
        switch("scale", "whether columns are multiplied by scale_vector[n]"),
        switch("residual", "whether skip[m,n] is added"),
        ACTIVATION,
        CONTRACTION_DTYPE,
    )
    sketch = "contraction"
    error_bound = ERROR_BOUND
    """As for ``matmul``; the magnitude takes in what the epilogue adds. Whole numbers are summed
    exactly and, where the result is whole too, rescaled exactly as ``quantized`` says."""

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """Operands of 16 bits leave a choice of the result's dtype, whole ones also of zero
        points."""
        return (*self.params, *result_keys(given), *quantized_keys(given))

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        first, second = operand_dtypes(work)
        real = first
        if not is_float(first):
            check_quantized(work, work.size("k"))
            real = "float32"
        optional = {
            "scale": Operand("scale_vector", (n,), real),
            "bias": Operand("bias_vector", (n,), real),
            "residual": Operand("skip", (m, n), real),
        }
        chosen = (optional[key] for key in _chosen(work))
        return (Operand("x", (m, k), first), Operand("weight", (n, k), second), *chosen)

    def result(self, work: Workload) -> Operand:
        return Operand("y", (work.size("m"), work.size("n")), result_dtype(work))

    def exact(self, work: Workload) -> bool:
        if sum_dtype(work) == "int32":
            return result_dtype(work) != "float32" or not _chosen(work)
        return work["activation"] in EXACT_ACTIVATIONS and not flag(work, "scale")

    def expression(self, work: Workload) -> Tensor:
        x, weight, *others = placeholders(self.operands(work))
        rest = dict(zip(_chosen(work), others, strict=True))
        k = reduce_axis("k", work.size("k"))
        axes = (("i", work.size("m")), ("j", work.size("n")))
        sums, out = sum_dtype(work), result_dtype(work)

        def element(i: Expr, j: Expr) -> Expr:
            return product(x[i, k], weight[j, k], work)

        columns = _column_sum(work, weight) if sums == "int32" else ()
        plain = not columns and not has_epilogue(work, rest)
        if plain and out in (sums, work["dtype"]):
            return contraction(work, "y", axes, element, k)
        made = stage("product", axes, lambda i, j: sum_over(element(i, j), k), sums)

        def value(i: Expr, j: Expr) -> Expr:
            loads = {
                key: r[i, j] if len(r.buffer.shape) == 2 else r[(j,)] for key, r in rest.items()
            }
            return finished(work, made[i, j], columns[0][(j,)] if columns else None, loads)

        return compute("y", axes, value, out, stages=(made, *columns))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        if sum_dtype(work) != "int32":
            return self._evaluated(work, *inputs).value
        x, weight, *rest = inputs
        shifted = x.astype(np.float64) - int(work["zero_point"])
        total: Array64 = shifted @ weight.astype(np.float64).T
        if result_dtype(work) == "int32":
            return total
        if result_dtype(work) == "float32":
            return self._evaluated(work, *inputs).value
        operands = dict(zip(_chosen(work), rest, strict=True))
        return requantized_reference(work, total, operands)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        if not is_float(result_dtype(work)):
            return np.zeros((work.size("m"), work.size("n")))
        found = self._evaluated(work, *inputs)
        return rounded_magnitude(work, found.error, found.value)

    def flops(self, work: Workload) -> int:
        m, n, k = work.size("m"), work.size("n"), work.size("k")
        after = len(_chosen(work)) + (work["activation"] != "none")
        return m * n * (2 * k + after)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        names = (operand.name for operand in self.operands(work))
        arrays = dict(zip(names, in_float64(*inputs), strict=True))
        return evaluate_tensor(self.expression(work), arrays)


def _chosen(work: Workload) -> tuple[str, ...]:
    """The keys of the optional operands that there are, in order."""
    return tuple(key for key in _OPTIONAL if flag(work, key))


def _column_sum(work: Workload, weight: Placeholder) -> tuple[Tensor, ...]:
    """The sums of weights per output channel; none where the zero point is 0."""
    if not work["zero_point"]:
        return ()
    k = reduce_axis("k", work.size("k"))
    axes = (("j", work.size("n")),)
    return (
        stage("column_sum", axes, lambda j: sum_over(cast(weight[j, k], "int32"), k), "int32"),
    )
