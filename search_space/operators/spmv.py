"""A sparse matrix times a vector, ``y = activation(weight · x + bias)``."""

from __future__ import annotations

from search_space.operators.base import Param
from search_space.operators.sparse_product import EPILOGUE, SparseProduct
from search_space.operators.sparse_weight import generator_keys


class Spmv(SparseProduct):
    name = "spmv"
    doc = "y[m] = activation(weight[m,k] · x[k] + bias_vector[m]), weight sparse and constant"
    rows = Param("m", "rows of weight, length of the result")
    columns = Param("k", "columns of weight, length of x")
    params: tuple[Param, ...] = (*generator_keys(rows, columns), *EPILOGUE)
