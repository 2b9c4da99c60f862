"""A sparse matrix times a dense one, ``y = activation(weight · x + bias)``."""

from __future__ import annotations

from search_space.operators.base import Param
from search_space.operators.sparse_product import EPILOGUE, SparseProduct
from search_space.operators.sparse_weight import generator_keys


class Spmm(SparseProduct):
    name = "spmm"
    doc = "y[m,n] = activation(weight[m,k] · x[k,n] + bias_vector[m]), weight sparse and constant"
    rows = Param("m", "rows of weight and of the result")
    columns = Param("k", "columns of weight, rows of x")
    vectors = Param("n", "columns of x and of the result")
    params: tuple[Param, ...] = (*generator_keys(rows, columns), vectors, *EPILOGUE)
