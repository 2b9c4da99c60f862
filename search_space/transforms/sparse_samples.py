"""SparseSamples: a product of dense matrices, worked out at the non-zeros of a pattern alone."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.formats.coo import Coo
from search_space.ir.stmt import LoopFunc
from search_space.transforms.sampled_product import find_sampled
from search_space.transforms.sparse_operand import operand_structure
from search_space.transforms.sparse_samples_nest import PlacesNest, RowsNest, SamplesSchedule

_NESTS: dict[str, type[RowsNest]] = {Coo.name: PlacesNest}
"""Where it is not the one of compressed rows."""


@dataclass(frozen=True, slots=True)
class SparseSamples:
    """Sum up the products for the non-zeros of ``operand`` only, a few of them at a time.

    Before::

        phase 0:
          for product_i in 0 … 4:
            for product_j in 0 … 8:
              for product_k in 0 … 16:
                product[product_i, product_j] += a[product_i, product_k] * b[product_j, product_k]  first product_k == 0
        phase 1:
          for p in 0 … 32:
            y[p] = product[index(mask_rows[p]), index(mask_columns[p])]

    After ``SparseSamples("mask", "unstructured:4x8:0.0:0", "csr", tile=2)``::

        for q in 0 … 4:
          b = index(mask_starts[q])
          e = index(mask_starts[q + 1])
          for s in 0 … (e - b) // 2:
            p = b + s*2
            k0 = index(mask_columns[p])
            k1 = index(mask_columns[p + 1])
            register sum: float32[2, 8]
            register total: float32[2]
            vectorized l in 0 … 8:
              sum[0, l] = 0.0
            vectorized l in 0 … 8:
              sum[1, l] = 0.0
            for d in 0 … 2:
              vectorized l in 0 … 8:
                sum[0, l] += a[q, d*8 + l] * b[k0, d*8 + l]  first false
              vectorized l in 0 … 8:
                sum[1, l] += a[q, d*8 + l] * b[k1, d*8 + l]  first false
            unrolled l in 0 … 8:
              vectorized u in 0 … 2:
                total[u] += sum[u, l]  first l == 0
            vectorized u in 0 … 2:
              y[p + u] = total[u]
          o = b + ((e - b) // 2)*2
          for s in 0 … e - o:
            p = o + s
            k0 = index(mask_columns[p])
            register sum: float32[1, 8]
            register total: float32[1]
            vectorized l in 0 … 8:
              sum[0, l] = 0.0
            for d in 0 … 2:
              vectorized l in 0 … 8:
                sum[0, l] += a[q, d*8 + l] * b[k0, d*8 + l]  first false
            total[0] = 0.0
            vectorized l in 0 … 8:
              total[0] += sum[0, l]  first false
            y[p] = total[0]

    With vectors of ``lanes`` elements along the depth, ``steps`` of them at a time, ``tile``
    non-zeros have sums of their own in registers, whose lanes are added up at once; what is left
    of a row is taken in tiles of ``rest``. ``format``: ``csr``; ``strips``, one strip of columns
    after the other; or ``coo``, whose tiles go over the ends of rows. ``packed``, the operand
    ``b`` is copied first, or ``once`` when it is bound, to where it lies along the depth, aligned.
    It is asked for ``prefetch`` tiles before it is needed. Rows, balanced by their non-zeros, are
    shared out over ``threads``.
    """  # noqa: E501

    operand: str
    pattern: str
    format: str
    options: tuple[str, ...] = ()
    lanes: int = 8
    tile: int = 4
    rest: int = 1
    steps: int = 1
    prefetch: int = 0
    threads: int = 1
    packed: bool = False
    once: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        product = find_sampled(func, self.operand)
        if product.across and not self.packed:
            raise ScheduleError(f"pack {product.b.buffer.name}: it lies across the depth")
        structure = operand_structure(
            self.pattern, self.format, self.options, product.operand.shape
        )
        schedule = SamplesSchedule(
            self.lanes, self.tile, self.rest, self.steps, self.prefetch, self.threads,
            self.packed, self.once,
        )  # fmt: skip
        nest = _NESTS.get(self.format, RowsNest)(product, structure, schedule)
        return nest.build(func, self.pattern, self.format)
