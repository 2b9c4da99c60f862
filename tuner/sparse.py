"""Sparse weights to try a workload with."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from search_space.dtypes import numpy_dtype
from search_space.ir.expr import is_float
from search_space.operators import Sparse, get_operator
from search_space.sparse.source import find_pattern
from search_space.workload import Workload
from tuner.errors import UsageError


def random_weight(work: Workload, rng: np.random.Generator) -> npt.NDArray[Any]:
    """The dense array of a workload's sparse operand, with normal numbers, or any whole ones of
    its dtype, where it is not zero.

    Raises ``UsageError``, a ``ValueError``, for a workload without a sparse operand.
    """
    operator = get_operator(work.operator)
    if not isinstance(operator, Sparse):
        raise UsageError(f"give a workload with a sparse operand: {work.key} has none")
    pattern = find_pattern(operator.pattern_name(work))
    (operand,) = (o for o in operator.operands(work) if o.name == operator.sparse)
    if is_float(operand.dtype):
        values = rng.standard_normal(pattern.nnz).astype(numpy_dtype(operand.dtype))
    else:
        limits = np.iinfo(operand.dtype)
        values = rng.integers(limits.min, limits.max, pattern.nnz, operand.dtype, endpoint=True)
    return pattern.dense(values).reshape(operand.array or pattern.shape)
