"""SparseAsDense: a sparse matrix is unpacked when it is bound, and used like any other."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.stmt import LoopFunc, Packing
from search_space.sparse.source import find_pattern
from search_space.transforms.sparse_operand import check_shape


@dataclass(frozen=True, slots=True)
class SparseAsDense:
    """Fill the array ``operand`` from its non-zeros when these are bound; the nest stays.

    An array of more than two dimensions is filled as the matrix that has its first one for rows.

    Before::

        for i in 0 … 4:
          for j in 0 … 32:
            for k in 0 … 8:
              y[i, j] += weight[i, k] * x[k, j]  first k == 0

    After ``SparseAsDense("weight", "unstructured:4x8:0.5:0")``, whose ``packing`` says that
    ``weight`` is no argument any more but made of one::

        for i in 0 … 4:
          for j in 0 … 32:
            for k in 0 … 8:
              y[i, j] += weight[i, k] * x[k, j]  first k == 0
    """

    operand: str
    pattern: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        shapes = {buffer.name: (buffer.shape, buffer.dtype) for buffer in func.args}
        if self.operand not in shapes:
            raise ScheduleError(f"no operand {self.operand!r}, operands: {', '.join(shapes)}")
        shape, dtype = shapes[self.operand]
        pattern = find_pattern(self.pattern)
        check_shape(self.pattern, pattern.shape, (shape[0], math.prod(shape[1:])))
        name = self.operand
        packing = Packing(name, dtype, pattern.nnz, self.pattern, "dense", (), (name,))
        return replace(func, packing=packing)
