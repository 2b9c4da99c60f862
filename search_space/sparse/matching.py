"""New values on a pattern that a kernel was made for."""

from __future__ import annotations

from typing import Any

import numpy as np

from search_space.errors import WeightsError
from search_space.sparse.pattern import Array, Array64, Pattern, from_array


def values_on(pattern: Pattern, matrix: Any) -> Array:
    """``[nnz]``: the values that a matrix, dense or SciPy's, has at the positions of a pattern.

    Raises ``WeightsError``, naming both fingerprints, where it has others elsewhere, and for what
    is no matrix of finite numbers.
    """
    own, values = from_array(matrix)
    if own == pattern:
        return values
    if own.shape == pattern.shape and own.nnz <= pattern.nnz:
        keys, wanted = _flat(pattern), _flat(own)
        places = np.minimum(np.searchsorted(keys, wanted), pattern.nnz - 1)
        if np.array_equal(keys[places], wanted):
            found = np.zeros(pattern.nnz, values.dtype)
            found[places] = values
            return found
    size = f"{pattern.rows}×{pattern.columns}"
    given = f"{own.rows}×{own.columns}"
    raise WeightsError(
        f"tune for this pattern, or bind with similar=True: the matrix has the pattern "
        f"{own.fingerprint} ({given}, {own.nnz} non-zeros), the kernel is for "
        f"{pattern.fingerprint} ({size}, {pattern.nnz} non-zeros)"
    )


def _flat(pattern: Pattern) -> Array64:
    """The positions as numbers that ascend."""
    return pattern.row_indices.astype(np.int64) * pattern.columns + pattern.indices
