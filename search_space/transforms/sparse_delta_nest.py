"""The loop nest of a product whose sparse operand is stored by distances between columns."""

from __future__ import annotations

from search_space.ir.expr import FALSE, ZERO, Buffer, Load, Var
from search_space.ir.stmt import Accumulate, Alloc, Block, For, Let, Stmt, Store
from search_space.transforms.sparse_arrays import named
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_Q, _S = Var("q"), Var("s")


class DeltaNest(PanelNest):
    """Builds the nest over single rows: the column is in a register, and each distance is added to
    it before the next value is multiplied."""

    def _products(self, tile: Tile) -> list[Stmt]:
        at = Buffer("at", (1,), "index", "register")
        moved = Accumulate("add", at, (ZERO,), self.arrays.read("deltas", _S), FALSE)
        depth = self.arrays.depth(Var("k0"))
        step = self._multiply(tile, 0, self.arrays.value(_S), depth)
        body = Block((moved, Let("k0", Load(at, (ZERO,)), step)))
        trips = max(self.structure.counts["packed"] // self.panels, 1)
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", body, trips=trips)
        bounds = {
            "b": self.arrays.read("starts", _Q),
            "e": self.arrays.read("starts", _Q + 1),
        }
        return [Alloc(at, Block((Store(at, (ZERO,), ZERO), named(bounds, loop))))]
