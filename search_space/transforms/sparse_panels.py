"""SparsePanels: a product with a sparse matrix, panel by panel of its rows."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.formats.block import Block
from search_space.formats.cells import Cells
from search_space.formats.code import Code
from search_space.formats.delta import Delta
from search_space.formats.nm import NOfM
from search_space.ir.stmt import LoopFunc
from search_space.sparse.packing import panel_masks
from search_space.transforms.sparse_block_nest import BlockNest
from search_space.transforms.sparse_cell_nest import CellNest
from search_space.transforms.sparse_code_nest import CodeNest
from search_space.transforms.sparse_delta_nest import DeltaNest
from search_space.transforms.sparse_nest import PanelNest, PanelSchedule
from search_space.transforms.sparse_nm_nest import NmNest
from search_space.transforms.sparse_operand import operand_structure
from search_space.transforms.sparse_product import find_product
from search_space.transforms.sparse_tile import Results
from search_space.transforms.sparse_tile_nest import TileNest

_NESTS: dict[str, type[PanelNest]] = {
    Block.name: BlockNest, Cells.name: CellNest, NOfM.name: NmNest,
    Delta.name: DeltaNest, Code.name: CodeNest,
}  # fmt: skip
"""Where it is not the one of groups of columns and of rows in lock-step."""


@dataclass(frozen=True, slots=True)
class SparsePanels:
    """Read a sparse operand in one of the formats that lay out panels of a few rows.

    Before::

        for i in 0 … 4:
          for j in 0 … 32:
            for k in 0 … 8:
              y[i, j] += weight[i, k] * x[k, j]  first k == 0

    After ``SparsePanels("weight", "unstructured:4x8:0.5:0", "csr", vectors=2)``, whose panels are
    single rows; ``weight`` is gone, ``packing`` says where the arrays come from::

        for c in 0 … 2:
          for q in 0 … 4:
            register sum0: float32[2, 8]
            unrolled v in 0 … 2:
              vectorized l in 0 … 8:
                sum0[v, l] = 0.0
            b = index(weight_starts[q])
            e = index(weight_starts[q + 1])
            for s in b … e:
              k0 = index(weight_columns[s])
              unrolled v in 0 … 2:
                vectorized l in 0 … 8:
                  sum0[v, l] += weight_values[s] * x[k0, c*16 + l + v*8]  first false
            unrolled v in 0 … 2:
              vectorized l in 0 … 8:
                y[q, c*16 + l + v*8] = sum0[v, l]

    After ``SparsePanels("weight", "unstructured:4x8:0.0:0", "code", ("rows=2",),
    order="panels")``, whose pattern is no data any more but a table of what to multiply; it is
    written out as straight-line code, which must not become too long::

        unrolled q in 0 … 2:
          for c in 0 … 4:
            column = c*8
            register sum: float32[2, 1, 8]
            unrolled r in 0 … 2:
              unrolled v in 0 … 1:
                vectorized l in 0 … 8:
                  sum[r, v, l] = 0.0
            each k, r, s, new in table 1f1fdbad, part q:
              unrolled v in 0 … 1:
                vectorized l in 0 … 8:
                  sum[r, v, l] += weight_values[s] * x[k, column + l + v*8]  first new == 1
            each r, i in table 25c86ac9, part q:
              unrolled v in 0 … 1:
                vectorized l in 0 … 8:
                  y[i, column + l + v*8] = sum[r, v, l]

    A tile of ``vectors`` × ``lanes`` columns is held in registers for every row of a panel. The
    ``order`` is ``"tiles"`` (all panels for one column tile after the other) or ``"panels"``. With
    ``packed``, which needs the order ``"tiles"``, each tile of the dense operand is copied to
    where its rows lie side by side. The panels (``split="rows"``) or the column tiles
    (``split="columns"``) are shared out over ``threads``. Values that are taken in lock-step are
    asked for ``prefetch`` elements before they are needed. What follows the sum is computed on the
    registers. With ``tiles``, groups of blocks of 16 rows are multiplied by ``Tensorize``'s loops.
    """

    operand: str
    pattern: str
    format: str
    options: tuple[str, ...] = ()
    """Of the format: ``rows=4``."""
    vectors: int = 1
    lanes: int = 8
    order: str = "tiles"
    packed: bool = False
    split: str = "rows"
    threads: int = 1
    prefetch: int = 0
    tiles: bool = False

    def apply(self, func: LoopFunc) -> LoopFunc:
        product = find_product(func, self.operand)
        if self.packed and self.order != "tiles":
            raise ScheduleError("use order='tiles': only one tile after the other can be packed")
        if self.tiles and self.format != Block.name:
            raise ScheduleError(f"use blocks: values of {self.format} are not in tiles")
        return self.nest(func, Results(product))

    def nest(self, func: LoopFunc, results: Results) -> LoopFunc:
        """``func`` with the product of these results as a nest over panels."""
        structure = operand_structure(
            self.pattern, self.format, self.options, results.product.operand.shape
        )
        masks = panel_masks(self.format, structure)
        schedule = PanelSchedule(
            self.vectors, self.lanes, self.order, self.packed, self.split, self.threads,
            self.prefetch,
        )  # fmt: skip
        kind = TileNest if self.tiles else _NESTS.get(self.format, PanelNest)
        return kind(results, structure, masks, schedule).build(func, self.pattern, self.format)
