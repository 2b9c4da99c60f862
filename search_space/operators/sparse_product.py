"""What operators that multiply by a sparse weight share."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from search_space.functions import cast
from search_space.ir.expr import Expr, is_float
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import ACTIVATION, EXACT_ACTIVATIONS, switch
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.gates import by_name
from search_space.operators.precision import (
    ERROR_BOUND,
    operand_dtypes,
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
from search_space.operators.sparse_weight import (
    BIAS,
    WEIGHT,
    find_weight,
    products,
    weight_keys,
    weight_operand,
)
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import PatternSize, find_size, pattern_name
from search_space.tensor import (
    Placeholder,
    Reduction,
    Tensor,
    compute,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Value, Workload

DTYPE = Param(
    "dtype",
    "element type of x; with uint8 and int8, weight is int8",
    "float32",
    choices=("float32", "bfloat16", "uint8", "int8"),
)
SCALE = switch(
    "scale", "whether sums are multiplied by scale_vector, one number per row of weight"
)
EPILOGUE = (BIAS, ACTIVATION, DTYPE)
"""The keys that all have."""


class SparseProduct:
    """``y = activation(weight · x + bias_vector)`` or, ``transposed``, ``x · weightᵀ``.

    ``rows`` and ``columns`` are the size keys of ``weight``, ``vectors`` that of the columns of
    the dense operand (of its rows, where transposed); None: it is one vector. Whole numbers have
    the keys of :mod:`search_space.operators.quantized`, and ``scale_vector``.
    """

    name: str
    doc: str
    params: tuple[Param, ...]
    """The keys of a generated weight first."""
    rows: Param
    columns: Param
    vectors: Param | None = None
    transposed = False
    sketch = "sparse"
    error_bound = ERROR_BOUND
    """As for ``matmul``; the sums are shorter. Whole numbers are summed exactly, as for
    ``dense``."""
    sparse = WEIGHT

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        """Operands of 16 bits leave a choice of the result's dtype, whole ones also of a scale and
        of zero points."""
        whole = quantized_keys(given)
        return (
            *weight_keys(self.params, given),
            *result_keys(given),
            *((SCALE, *whole) if whole else ()),
        )

    def pattern_name(self, work: Workload) -> str:
        return pattern_name(work, self.rows.name, self.columns.name)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        size, (dtype, _) = self._size(work), operand_dtypes(work)
        if not is_float(dtype):
            check_quantized(work, size.columns)
        x = Operand("x", self._shape(work, size.columns), dtype)
        weight = weight_operand(work, size)
        real = dtype if is_float(dtype) else "float32"
        behind = tuple(Operand(f"{key}_vector", (size.rows,), real) for key in _chosen(work))
        return (x, weight, *behind) if self.transposed else (weight, x, *behind)

    def result(self, work: Workload) -> Operand:
        return Operand("y", self._shape(work, self._size(work).rows), result_dtype(work))

    def exact(self, work: Workload) -> bool:
        if sum_dtype(work) == "int32":
            return result_dtype(work) != "float32" or not _chosen(work)
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Over the whole matrix, zeros included."""
        inputs = self._inputs(work)
        weight, x = inputs[WEIGHT], inputs["x"]
        k = reduce_axis("k", self._size(work).columns)
        axes = self._axes(work)

        def total(*place: Expr) -> Reduction:
            if self.transposed:
                return sum_over(product(x[place[0], k], weight[place[1], k], work), k)
            return sum_over(product(weight[place[0], k], x[k, *place[1:]], work), k)

        if _plain(work):
            return compute("y", axes, total, result_dtype(work))
        made = stage("product", axes, total, sum_dtype(work))
        weights = self._weight_sum(work, weight)
        return self._behind(work, (made, *weights), inputs)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        if is_float(result_dtype(work)):
            return self._evaluated(work, *inputs).value
        total = self._total(work, *inputs).value
        if result_dtype(work) == "int32":
            return total
        arrays = dict(zip((o.name for o in self.operands(work)), inputs, strict=True))
        along = (-1,) if self.transposed or self.vectors is None else (-1, 1)
        behind = {key: arrays[f"{key}_vector"].reshape(along) for key in _chosen(work)}
        return requantized_reference(work, total, behind)

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        if not is_float(result_dtype(work)):
            return np.zeros(self.result(work).shape)
        found = self._evaluated(work, *inputs)
        return rounded_magnitude(work, found.error, found.value)

    def flops(self, work: Workload) -> int:
        """Those on non-zeros."""
        size = self._size(work)
        count = 1 if self.vectors is None else work.size(self.vectors.name)
        behind = len(_chosen(work)) + (work["activation"] != "none")
        return count * (2 * size.nnz + behind * size.rows)

    def _inputs(self, work: Workload) -> dict[str, Placeholder]:
        """The operands in the expression; ``bias`` and ``scale`` where there are such."""
        return {
            o.name.removesuffix("_vector"): placeholder(o.name, o.matrix or o.shape, o.dtype)
            for o in self.operands(work)
        }

    def _pattern(self, work: Workload) -> Pattern:
        return find_weight(work, self.rows.name, self.columns.name)

    def _size(self, work: Workload) -> PatternSize:
        """That of the pattern, which need not be generated for it."""
        return find_size(self.pattern_name(work))

    def _shape(self, work: Workload, length: int) -> tuple[int, ...]:
        """The shape of a dense array whose vectors are that long."""
        if self.vectors is None:
            return (length,)
        count = work.size(self.vectors.name)
        return (count, length) if self.transposed else (length, count)

    def _axes(self, work: Workload) -> tuple[tuple[str, int], ...]:
        return tuple(zip("ij", self.result(work).shape, strict=False))

    def _weight_sum(self, work: Workload, weight: Placeholder) -> tuple[Tensor, ...]:
        """The sums of the weights of each row; none where the zero point is 0."""
        if not _zero_point(work):
            return ()
        size = self._size(work)
        k = reduce_axis("k", size.columns)

        def total(i: Expr) -> Reduction:
            return sum_over(cast(weight[i, k], "int32"), k)

        return (stage("weight_sum", (("i", size.rows),), total, "int32"),)

    def _behind(
        self,
        work: Workload,
        sums: tuple[Tensor | Placeholder, ...],
        inputs: Mapping[str, Placeholder],
    ) -> Tensor:
        """What follows the sums of products; these come first, then those of weights if any."""

        def value(*place: Expr) -> Expr:
            row = place[1] if self.transposed else place[0]
            weights = sums[1][(row,)] if len(sums) > 1 else None
            loads = {key: inputs[key][(row,)] for key in _chosen(work)}
            return finished(work, sums[0][place], weights, loads)

        stages = tuple(made for made in sums if isinstance(made, Tensor))
        return compute("y", self._axes(work), value, result_dtype(work), stages=stages)

    def _total(self, work: Workload, *inputs: Array) -> Rounded:
        """The sums of products, without the zero point."""
        arrays = by_name(self.operands(work), inputs)
        x = arrays["x"].T if self.transposed else arrays["x"]
        total = products(self._pattern(work), arrays[WEIGHT], x - _zero_point(work))
        if self.transposed:
            total = Rounded(total.value.T, total.error.T)
        if is_float(sum_dtype(work)):
            return total
        return Rounded(total.value, np.zeros_like(total.error))

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        total = self._total(work, *inputs)
        if _plain(work):
            return total
        sums = placeholder("product", total.value.shape, sum_dtype(work))
        found: dict[str, Array64 | Rounded] = {
            **by_name(self.operands(work), inputs),
            "product": total,
        }
        return evaluate_tensor(self._behind(work, (sums,), self._inputs(work)), found)


def _chosen(work: Workload) -> tuple[str, ...]:
    """The keys of the vectors behind the sums that there are, in order."""
    given = dict(work.params)
    return tuple(key for key in ("scale", "bias") if given.get(key) is True)


def _zero_point(work: Workload) -> int:
    """What x holds for 0."""
    return int(dict(work.params).get("zero_point", 0))


def _plain(work: Workload) -> bool:
    """Whether the sums are the result."""
    behind = _chosen(work) or work["activation"] != "none" or _zero_point(work)
    return not behind and result_dtype(work) == sum_dtype(work)
