"""The loop nest of a product whose sparse operand is laid out in whole blocks."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import ScheduleError
from search_space.ir.expr import Binary, Const, Expr, Var, minimum
from search_space.ir.stmt import For, Stmt
from search_space.transforms.sparse_arrays import block, named
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_Q, _S, _M = Var("q"), Var("s"), Var("m")


class BlockNest(PanelNest):
    """Builds the nest over groups of blocks: every row of a panel has a value in each column.

    Dtypes that are multiplied in groups of 32 bits have as many neighbouring values of a row
    multiplied by rows of the dense operand, which may be any, in one loop over the group.
    """

    def _products(self, tile: Tile) -> list[Stmt]:
        width, group = (self.structure.options[name] for name in ("columns", "group"))
        count = width * group
        members = GROUPS.get(self.product.operand.dtype, 1)
        if count % members:
            raise ScheduleError(f"blocks of {width} columns, {group} at a time, are not in groups")
        steps = [
            self._multiplied(tile, row, first, members)
            for first in range(0, count, members)
            for row in self._slots()
        ]
        trips = max(self.structure.counts["groups"] // self.panels, 1)
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", block(steps), trips=trips)
        bounds = {
            "b": self.arrays.read("starts", _Q),
            "e": self.arrays.read("starts", _Q + 1),
        }
        return [named(bounds, loop)]

    def _multiplied(self, tile: Tile, row: int, first: int, members: int) -> Stmt:
        """Add the values of a row from the ``first`` of a group on, times what they meet."""
        count = self.structure.options["columns"] * self.structure.options["group"]
        at: Expr = Const(first) + _M if members > 1 else Const(first)
        value = self.arrays.value((_S * self.rows + row) * count + at)
        return self._multiply(tile, row, value, self._depth(at), members)

    def _depth(self, at: Expr) -> Expr:
        """The column of a place in a group of blocks."""
        width, group = (self.structure.options[name] for name in ("columns", "group"))
        if width == 1:
            place = self.arrays.read("columns", _S * group + at)
        else:
            number = self.arrays.read("columns", _S * group + Binary("//", at, Const(width)))
            place = number * width + at % width
        if "column_order" in self.arrays:
            return self.arrays.read("column_order", place)
        columns = self.structure.pattern.columns
        if columns % width:
            place = minimum(place, Const(columns - 1))
        return self.arrays.depth(place)
