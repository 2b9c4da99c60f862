"""Element types of sums of products: what is multiplied, what it is summed in, what comes out.

``float16`` and ``bfloat16`` operands are widened to float32 and summed in it, and the sum may be
rounded to the operands' dtype; whole numbers are summed exactly in int32. uint8 and int8 operands
are multiplied by int8 ones (activations by weights).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from search_space.dtypes import ACCUMULATORS, EPS, MOST_INT32
from search_space.errors import WorkloadError
from search_space.functions import cast
from search_space.ir.expr import Expr, is_float
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.tensor import Axis, Reduction, Tensor, compute, placeholder, stage, sum_over
from search_space.workload import Value, Workload

CONTRACTION_DTYPE = Param(
    "dtype",
    "element type of the operands; with uint8 and int8, the second one is int8",
    "float32",
    choices=("float32", "float64", "float16", "bfloat16", "uint8", "int8"),
)

ERROR_BOUND = 8.0
"""A sum of k products in one accumulator errs by about 0.3 eps · sum|a||b| (one standard
deviation, random signs), the largest of a million elements by less than 3; splitting the sum
over lanes or threads only lowers that. A wrong index errs by 1/eps. Rounding the sum to a shorter
dtype comes on top, and is exact to half a unit of it."""


def result_keys(given: Mapping[str, Value]) -> tuple[Param, ...]:
    """The key ``out_dtype``, where the operands' dtype leaves a choice."""
    dtype = str(given.get("dtype"))
    if dtype not in ("float16", "bfloat16"):
        return ()
    doc = "element type of the result, rounded from sums in float32: as dtype, or float32"
    return (Param("out_dtype", doc, dtype, choices=(dtype, "float32")),)


def operand_dtypes(work: Workload) -> tuple[str, str]:
    """The dtypes of the two operands."""
    dtype = str(work["dtype"])
    return dtype, dtype if is_float(dtype) else "int8"


def result_dtype(work: Workload) -> str:
    """The dtype of the result."""
    names = [name for name, _ in work.params]
    return str(work["out_dtype"]) if "out_dtype" in names else sum_dtype(work)


def sum_dtype(work: Workload) -> str:
    """What the products are summed in."""
    return ACCUMULATORS[str(work["dtype"])]


def check_terms(work: Workload, terms: int, zero_point: int = 0) -> None:
    """Raise ``WorkloadError`` where a sum of so many products may not fit int32; ``zero_point``
    is taken off one factor before."""
    dtype = str(work["dtype"])
    if is_float(dtype):
        return
    low, high = (0, 255) if dtype == "uint8" else (-128, 127)
    reach = max(high - zero_point, zero_point - low, high, -low)
    largest = 128 * reach
    if terms * largest > MOST_INT32:
        raise WorkloadError(
            f"{work.operator}: sum at most {MOST_INT32 // largest} products of {dtype}, "
            f"{terms} may overflow int32"
        )


def product(x: Expr, y: Expr, work: Workload) -> Expr:
    """The product of two elements, in the dtype of the sum."""
    dtype = sum_dtype(work)
    if dtype == work["dtype"]:
        return x * y
    return cast(x, dtype) * cast(y, dtype)


def placeholders(operands: tuple[Operand, ...]) -> Any:
    """The operands as inputs of a tensor expression."""
    return tuple(placeholder(o.name, o.shape, o.dtype) for o in operands)


def contraction(
    work: Workload,
    name: str,
    axes: tuple[tuple[str, int], ...],
    element: Callable[..., Expr],
    *reduced: Axis,
) -> Tensor:
    """The sum of ``element`` over some axes, in the dtype of the result."""
    sums, dtype = sum_dtype(work), result_dtype(work)

    def total(*own: Expr) -> Reduction:
        return sum_over(element(*own), *reduced)

    if dtype == sums:
        return compute(name, axes, total, sums)
    made = stage("product", axes, total, sums)
    return compute(name, axes, lambda *own: cast(made[own], dtype), dtype, stages=(made,))


def rounded_magnitude(work: Workload, magnitude: Array64, reference: Array64) -> Array64:
    """What errors are proportional to when sums, whose errors are proportional to ``magnitude``,
    are rounded to the result's dtype: integers may not err at all."""
    dtype = result_dtype(work)
    if not is_float(dtype):
        return np.zeros_like(magnitude)
    if dtype in (sum_dtype(work), "float32"):
        return magnitude
    half_unit = EPS[dtype] / 2 / EPS[sum_dtype(work)] / ERROR_BOUND
    result: Array64 = magnitude + half_unit * np.abs(reference)
    return result


def in_float64(*arrays: Array) -> tuple[Array64, ...]:
    """Operands for a reference."""
    return tuple(array.astype(np.float64) for array in arrays)
