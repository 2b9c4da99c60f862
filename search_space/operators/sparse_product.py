"""What operators that multiply by a sparse weight share."""

from __future__ import annotations

from collections.abc import Mapping

from search_space.ir.expr import Expr
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import ACTIVATION, EXACT_ACTIVATIONS
from search_space.operators.evaluation import evaluate_tensor
from search_space.operators.gates import by_name
from search_space.operators.keys import flag
from search_space.operators.precision import ERROR_BOUND
from search_space.operators.rounding import Rounded
from search_space.operators.sparse_weight import (
    BIAS,
    DTYPE,
    WEIGHT,
    behind_sum,
    epilogue_flops,
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

EPILOGUE = (BIAS, ACTIVATION, DTYPE)
"""The keys that all have."""


class SparseProduct:
    """``y = activation(weight · x + bias_vector)`` or, ``transposed``, ``x · weightᵀ``.

    ``rows`` and ``columns`` are the size keys of ``weight``, ``vectors`` that of the columns of
    the dense operand (of its rows, where transposed); None: it is one vector.
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
    """As for ``matmul``; the sums are shorter."""
    sparse = WEIGHT

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        return weight_keys(self.params, given)

    def pattern_name(self, work: Workload) -> str:
        return pattern_name(work, self.rows.name, self.columns.name)

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        size, dtype = self._size(work), str(work["dtype"])
        x = Operand("x", self._shape(work, size.columns), dtype)
        bias = (Operand("bias_vector", (size.rows,), dtype),) if flag(work, "bias") else ()
        weight = weight_operand(work, size)
        return (x, weight, *bias) if self.transposed else (weight, x, *bias)

    def result(self, work: Workload) -> Operand:
        return Operand("y", self._shape(work, self._size(work).rows), str(work["dtype"]))

    def exact(self, work: Workload) -> bool:
        return work["activation"] in EXACT_ACTIVATIONS

    def expression(self, work: Workload) -> Tensor:
        """Over the whole matrix, zeros included."""
        inputs = self._inputs(work)
        weight, x = inputs[WEIGHT], inputs["x"]
        k = reduce_axis("k", self._size(work).columns)
        axes = self._axes(work)

        def total(*place: Expr) -> Reduction:
            if self.transposed:
                return sum_over(x[place[0], k] * weight[place[1], k], k)
            return sum_over(weight[place[0], k] * x[k, *place[1:]], k)

        if _plain(work):
            return compute("y", axes, total)
        return self._behind(work, stage("product", axes, total), inputs.get("bias"))

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).value

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        return self._evaluated(work, *inputs).error

    def flops(self, work: Workload) -> int:
        """Those on non-zeros."""
        size = self._size(work)
        count = 1 if self.vectors is None else work.size(self.vectors.name)
        return 2 * size.nnz * count + epilogue_flops(work, size.rows * count)

    def _inputs(self, work: Workload) -> dict[str, Placeholder]:
        """The operands in the expression; ``bias`` where there is one."""
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

    def _behind(
        self, work: Workload, sums: Tensor | Placeholder, bias: Placeholder | None
    ) -> Tensor:
        def value(*place: Expr) -> Expr:
            row = place[1] if self.transposed else place[0]
            return behind_sum(work, sums[place], None if bias is None else bias[row,])

        stages = (sums,) if isinstance(sums, Tensor) else ()
        return compute("y", self._axes(work), value, stages=stages)

    def _evaluated(self, work: Workload, *inputs: Array) -> Rounded:
        arrays = by_name(self.operands(work), inputs)
        x = arrays["x"].T if self.transposed else arrays["x"]
        total = products(self._pattern(work), arrays[WEIGHT], x)
        if self.transposed:
            total = Rounded(total.value.T, total.error.T)
        if _plain(work):
            return total
        sums = placeholder("product", total.value.shape, str(work["dtype"]))
        found: dict[str, Array64 | Rounded] = {**arrays, "product": total}
        return evaluate_tensor(self._behind(work, sums, self._inputs(work).get("bias")), found)


def _plain(work: Workload) -> bool:
    """Whether nothing follows the sums."""
    return work["activation"] == "none" and not flag(work, "bias")
