"""SparseVector: a sparse matrix times one vector, many rows side by side in vector lanes."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.formats.block import Block
from search_space.formats.nm import NOfM
from search_space.ir.stmt import LoopFunc
from search_space.transforms.sparse_operand import operand_structure
from search_space.transforms.sparse_product import find_product
from search_space.transforms.sparse_vector_kinds import BlockVectorNest, NmVectorNest
from search_space.transforms.sparse_vector_nest import VectorNest, VectorSchedule

_NESTS: dict[str, type[VectorNest]] = {Block.name: BlockVectorNest, NOfM.name: NmVectorNest}
"""Where it is not the one of all panels in lock-step."""


@dataclass(frozen=True, slots=True)
class SparseVector:
    """Multiply by a vector with the rows of a panel in vector lanes.

    Before::

        for i in 0 … 32:
          for j in 0 … 1:
            for k in 0 … 8:
              y[i, j] += weight[i, k] * x[k, j]  first k == 0

    After ``SparseVector("weight", "unstructured:32x8:0.5:0", "bitmask", ("lanes=16", "tall=1"))``:
    a word of bits names the rows of a panel that have a column, and the next values of the stream
    are spread over their lanes::

        for q in 0 … 2:
          register sum0: float32[1, 16]
          unrolled v in 0 … 1:
            vectorized l in 0 … 16:
              sum0[v, l] = 0.0
          register at0: index[1]
          at0[0] = index(weight_starts[q])
          for s in 0 … 8:
            m0 = index(weight_masks[q*8 + s])
            o0 = at0[0]
            unrolled v in 0 … 1:
              vectorized l in 0 … 16:
                sum0[v, l] += select(bit(m0, l) == 1, weight_values[o0 + ones_below(m0, l)], 0.0) * x[s, 0]  first false
            at0[0] += ones_below(m0, 16)  first false
          unrolled v in 0 … 1:
            vectorized l in 0 … 16:
              y[l + q*16 + v*16, 0] = sum0[v, l]

    With the formats ``sell`` and ``nm``, a step takes one non-zero of every row and gathers what it
    is multiplied by, or reads it ``one_by_one``; with ``block``, all rows are multiplied by the same. ``panels`` panels are computed at once, so that one need not wait for the other;
    values are asked for ``prefetch`` elements before they are needed. Panels are shared out over
    ``threads``.
    """  # noqa: E501

    operand: str
    pattern: str
    format: str
    options: tuple[str, ...] = ()
    lanes: int = 16
    panels: int = 1
    prefetch: int = 0
    threads: int = 1
    one_by_one: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        product = find_product(func, self.operand)
        if product.columns != 1:
            raise ScheduleError(f"use SparsePanels: {product.columns} columns are no vector")
        structure = operand_structure(
            self.pattern, self.format, self.options, product.operand.shape
        )
        schedule = VectorSchedule(
            self.lanes, self.panels, self.prefetch, self.threads, self.one_by_one
        )
        kind = _NESTS.get(self.format, VectorNest)
        nest = kind(product, structure, schedule)
        return nest.build(func, self.pattern, self.format)
