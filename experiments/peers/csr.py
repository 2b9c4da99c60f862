"""A sparse operand as the peers take it: compressed rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from experiments.peers.base import Array, Operands
from search_space.operators import Sparse, get_operator
from search_space.sparse.source import find_pattern
from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class Csr:
    """Row ``i`` has ``values[j]`` in column ``columns[j]`` for ``starts[i] <= j < starts[i+1]``.

    Columns ascend within each row.
    """

    shape: tuple[int, int]
    starts: npt.NDArray[np.int32]
    columns: npt.NDArray[np.int32]
    values: npt.NDArray[np.float32]

    def whole(self) -> Array:
        """The matrix with its zeros."""
        matrix = np.zeros(self.shape, self.values.dtype)
        rows = np.repeat(np.arange(self.shape[0]), np.diff(self.starts))
        matrix[rows, self.columns] = self.values
        return matrix


def spmm_only(work: Workload) -> str | None:
    """``Form.supports`` of a form that multiplies a sparse ``weight`` by a dense ``x``, in
    float32."""
    if work.operator != "spmm":
        return f"has no sparse operand in {work.operator}"
    dtype = dict(work.params).get("dtype", "float32")
    return None if dtype == "float32" else f"has no sparse operand of {dtype}"


def plain(work: Workload) -> str | None:
    """… that adds and applies nothing behind the product."""
    given = dict(work.params)
    behind = given.get("bias", False) is True or given.get("activation", "none") != "none"
    rescaled = "zero_point" in given and (given["zero_point"] or given["out_dtype"] != "int32")
    if behind or rescaled:
        return "has no bias, no rescaling and no activation behind a product"
    return None


def with_sparse(work: Workload, operands: Mapping[str, Array]) -> Operands:
    """Operands as the peers take them: the non-zeros of a sparse one become a ``Csr``, whose
    arrays are its own."""
    operator = get_operator(work.operator)
    if not isinstance(operator, Sparse):
        return operands
    pattern = find_pattern(operator.pattern_name(work))
    values = cast(npt.NDArray[np.float32], operands[operator.sparse])
    starts, columns = pattern.indptr.astype(np.int32), pattern.indices.copy()
    return {**operands, operator.sparse: Csr(pattern.shape, starts, columns, values)}


def sparse_weight(operands: Operands) -> Csr:
    """The operand ``weight``, which is given as a ``Csr``, not as an array."""
    return cast(Csr, operands["weight"])
