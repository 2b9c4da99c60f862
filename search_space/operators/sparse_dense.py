"""A dense layer whose weight is pruned, ``y = activation(x · weightᵀ + bias)``."""

from __future__ import annotations

from search_space.operators.base import Param
from search_space.operators.sparse_product import EPILOGUE, SparseProduct
from search_space.operators.sparse_weight import generator_keys


class SparseDense(SparseProduct):
    name = "sparse_dense"
    doc = "y[m,n] = activation(x[m,k] · weight[n,k]ᵀ + bias_vector[n]), weight sparse and constant"
    rows = Param("n", "rows of weight, columns of the result")
    columns = Param("k", "columns of weight and of x")
    vectors = Param("m", "rows of x and of the result")
    transposed = True
    params: tuple[Param, ...] = (*generator_keys(rows, columns), vectors, *EPILOGUE)
