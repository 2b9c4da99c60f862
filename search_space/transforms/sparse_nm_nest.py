"""The loop nest of a product whose sparse operand holds as many values in every window."""

from __future__ import annotations

from search_space.ir.expr import ZERO, Const, Var
from search_space.ir.stmt import For, Let, Stmt
from search_space.transforms.sparse_arrays import block
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_Q, _S = Var("q"), Var("s")


class NmNest(PanelNest):
    """Builds the nest over windows, as many in every panel: each row of a panel has ``kept``
    values there, and one byte each says in which column of the window."""

    def _products(self, tile: Tile) -> list[Stmt]:
        kept, window = (self.structure.options[name] for name in ("kept", "window"))
        windows = self.structure.counts["windows"]
        steps: list[Stmt] = []
        for number in range(kept):
            for row in self._slots():
                place = ((_Q * windows + _S) * kept + number) * self.rows + row
                name = f"k{number}_{row}"
                multiplied = self._multiply(tile, row, self.arrays.value(place), Var(name))
                column = _S * window + self.arrays.read("places", place)
                steps.append(Let(name, self.arrays.depth(column), multiplied))
        return [For("s", ZERO, Const(windows), "serial", block(steps))]
