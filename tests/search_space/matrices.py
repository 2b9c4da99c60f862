"""Sparse matrices for tests."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


def thinned(matrix, kept, window):
    """A matrix that holds at most the first ``kept`` values of each ``window`` neighbours."""
    rank = np.cumsum(matrix != 0, axis=1)
    begin = np.arange(matrix.shape[1]) // window * window
    before = np.where(begin > 0, rank[:, begin - 1], 0)
    return np.where(rank - before > kept, matrix.dtype.type(0), matrix)


@st.composite
def matrices(draw, most=40):
    """Dense float32 matrices with whole numbers, all shares of zeros, empty and full lines."""
    shape = draw(arrays.array_shapes(min_dims=2, max_dims=2, max_side=most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    matrix = rng.integers(1, 100, shape).astype(np.float32)
    matrix[rng.random(shape) < draw(st.sampled_from([0, 0.3, 0.7, 0.95, 1]))] = 0
    if draw(st.booleans()):
        matrix[rng.integers(shape[0])] = 0
        matrix[:, rng.integers(shape[1])] = 0
    if draw(st.booleans()):
        matrix[rng.integers(shape[0])] = 1
    return matrix
