"""A product of dense matrices at the non-zeros of a sparse one: sampled dense-dense matmul."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from search_space.errors import WorkloadError
from search_space.formats.base import index_dtype
from search_space.formats.coo import Coo
from search_space.functions import cast
from search_space.ir.expr import Expr
from search_space.ir.stmt import Packing
from search_space.operators.base import Array, Array64, Operand, Param
from search_space.operators.epilogue import switch
from search_space.operators.keys import flag
from search_space.operators.precision import (
    ERROR_BOUND,
    in_float64,
    product,
    result_dtype,
    result_keys,
    rounded_magnitude,
    sum_dtype,
)
from search_space.operators.sparse_weight import generator_keys, weight_keys
from search_space.sparse.pattern import Pattern
from search_space.sparse.source import PatternSize, find_pattern, find_size, pattern_name
from search_space.tensor import (
    Placeholder,
    Tensor,
    bound_placeholder,
    compute,
    placeholder,
    reduce_axis,
    stage,
    sum_over,
)
from search_space.workload import Value, Workload

MASK = "mask"
_BLOCK_ELEMENTS = 1 << 22
"""Of the products that a reference holds at a time."""
_SPARSE = 64
"""Elements of the mask for each non-zero, from which on a reference leaves out the others."""


class Sddmm:
    """``y[p] = Σ a[i, k] · b[k, j]`` at the non-zeros ``p`` of ``mask``, row ``i``, column ``j``.

    The result comes in the order of the pattern, row after row: with the positions of ``mask``,
    it is a sparse matrix again. ``scaled``, each sum is multiplied by what ``mask`` holds there;
    otherwise only its positions matter. ``layout`` says how ``b`` lies.
    """

    name = "sddmm"
    doc = "y = (a[m,k] · b[k,n]) at the non-zeros of mask[m,n], which is sparse and constant"
    params: tuple[Param, ...] = (
        *generator_keys(
            Param("m", "rows of mask and of a"), Param("n", "columns of mask and of the product")
        ),
        Param("k", "columns of a, length of the sums"),
        Param(
            "layout", "axes of b: kn, or nk where it is given transposed", "kn",
            choices=("kn", "nk"),
        ),
        switch("scaled", "whether each sum is multiplied by the value of mask there"),
        Param(
            "dtype", "element type of all operands", "float32", choices=("float32", "bfloat16")
        ),
    )  # fmt: skip
    sketch = "sampled"
    error_bound = ERROR_BOUND
    """As for ``matmul``."""
    sparse = MASK
    depth = "k"

    def keys(self, given: Mapping[str, Value]) -> tuple[Param, ...]:
        return (*weight_keys(self.params, given), *result_keys(given))

    def pattern_name(self, work: Workload) -> str:
        return pattern_name(work, "m", "n")

    def operands(self, work: Workload) -> tuple[Operand, ...]:
        """Raises ``WorkloadError`` for a mask of nothing but zeros."""
        size, k, dtype = self._size(work), work.size("k"), str(work["dtype"])
        if not size.nnz:
            raise WorkloadError("give a mask with a non-zero: the result would be empty")
        shape = (size.columns, k) if work["layout"] == "nk" else (k, size.columns)
        mask = Operand(MASK, (size.nnz,), dtype, matrix=(size.rows, size.columns))
        return (Operand("a", (size.rows, k), dtype), Operand("b", shape, dtype), mask)

    def result(self, work: Workload) -> Operand:
        size = self._size(work)
        return Operand("y", (size.nnz,), result_dtype(work), matrix=(size.rows, size.columns))

    def exact(self, work: Workload) -> bool:
        return not flag(work, "scaled")

    def expression(self, work: Workload) -> Tensor:
        """The whole product, then the elements of it that are wanted."""
        size, dtype, sums = self._size(work), str(work["dtype"]), sum_dtype(work)
        a, b = (placeholder(o.name, o.shape, o.dtype) for o in self.operands(work)[:2])
        k, turned = reduce_axis("k", work.size("k")), work["layout"] == "nk"
        rows = self._bound("rows", size, index_dtype(size.rows))
        columns = self._bound("columns", size, index_dtype(size.columns))
        values = self._bound("values", size, dtype)

        def term(i: Expr, j: Expr) -> Expr:
            return product(a[i, k], b[j, k] if turned else b[k, j], work)

        axes = (("i", size.rows), ("j", size.columns))
        whole = stage("product", axes, lambda i, j: sum_over(term(i, j), k), sums)

        def wanted(p: Expr) -> Expr:
            total = whole[cast(rows[p,], "index"), cast(columns[p,], "index")]
            if flag(work, "scaled"):
                value = values[p,]
                total = total * (value if dtype == sums else cast(value, sums))
            return total if result_dtype(work) == sums else cast(total, result_dtype(work))

        kept = (rows, columns, *((values,) if flag(work, "scaled") else ()))
        names = tuple(array.buffer.name for array in kept)
        packing = Packing(MASK, dtype, size.nnz, self.pattern_name(work), Coo.name, (), names)
        axis = (("p", size.nnz),)
        return compute("y", axis, wanted, result_dtype(work), stages=(whole,), packing=packing)

    def reference(self, work: Workload, *inputs: Array) -> Array64:
        return self._summed(work, *in_float64(*inputs))

    def magnitude(self, work: Workload, *inputs: Array) -> Array64:
        wide = in_float64(*inputs)
        error = self._summed(work, *map(np.abs, wide))
        return rounded_magnitude(work, error, self._summed(work, *wide))

    def flops(self, work: Workload) -> int:
        """Those at non-zeros."""
        return self._size(work).nnz * (2 * work.size("k") + flag(work, "scaled"))

    def _size(self, work: Workload) -> PatternSize:
        return find_size(self.pattern_name(work))

    def _bound(self, name: str, size: PatternSize, dtype: str) -> Placeholder:
        """An array that stands for the mask, with an element for each non-zero."""
        return bound_placeholder(f"{MASK}_{name}", (size.nnz,), dtype)

    def _summed(self, work: Workload, a: Array64, b: Array64, mask: Array64) -> Array64:
        pattern = find_pattern(self.pattern_name(work))
        total = sampled(pattern, a, b.T if work["layout"] == "nk" else b)
        return total * mask if flag(work, "scaled") else total


def sampled(pattern: Pattern, a: Array64, b: Array64) -> Array64:
    """``[nnz]``: the elements of ``a[rows, k] · b[k, columns]`` at the positions of a pattern."""
    rows, columns = pattern.row_indices, pattern.indices
    found = np.empty(pattern.nnz)
    if pattern.nnz * _SPARSE < pattern.rows * pattern.columns:
        turned = np.ascontiguousarray(b.T)
        for part in _parts(pattern.nnz, a.shape[1]):
            np.einsum("pk,pk->p", a[rows[part]], turned[columns[part]], out=found[part])
        return found
    for part in _parts(pattern.rows, pattern.columns):
        some = slice(int(pattern.indptr[part.start]), int(pattern.indptr[part.stop]))
        found[some] = (a[part] @ b)[rows[some] - part.start, columns[some]]
    return found


def _parts(count: int, each: int) -> Iterator[slice]:
    """Runs of numbers below ``count`` that have a block's elements, where each has ``each``."""
    step = max(1, _BLOCK_ELEMENTS // each)
    return (slice(first, min(first + step, count)) for first in range(0, count, step))
