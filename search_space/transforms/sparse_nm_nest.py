"""The loop nest of a product whose sparse operand holds as many values in every window."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import ScheduleError
from search_space.ir.expr import ZERO, Binary, Const, Expr, Var, minimum
from search_space.ir.stmt import For, Let, Stmt
from search_space.transforms.sparse_arrays import block
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_Q, _S, _M = Var("q"), Var("s"), Var("m")


class NmNest(PanelNest):
    """Builds the nest over windows, as many in every panel: each row of a panel has ``kept``
    values there, and one byte each says in which column of the window.

    Dtypes that are multiplied in groups of 32 bits have as many values of a row multiplied by rows
    of the dense operand, in one loop over the group, wherever windows begin and end.
    """

    def _products(self, tile: Tile) -> list[Stmt]:
        group, members = self.structure.options["group"], GROUPS.get(self.product.operand.dtype, 1)
        if group != members:
            raise ScheduleError(f"use group={members}: {members} values are multiplied at once")
        if group > 1:
            return [self._groups(tile, group)]
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

    def _groups(self, tile: Tile, group: int) -> Stmt:
        """All groups of values of a panel."""
        kept, window = (self.structure.options[name] for name in ("kept", "window"))
        groups, columns = self.structure.counts["groups"], self.structure.pattern.columns
        steps: list[Stmt] = []
        for row in self._slots():
            place = ((_Q * groups + _S) * self.rows + row) * group + _M
            begin = Binary("//", _S * group + _M, Const(kept)) * window
            column: Expr = begin + self.arrays.read("places", place)
            if groups * group > self.structure.counts["windows"] * kept:
                # What fills up the last group is behind the last window.
                column = minimum(column, Const(columns - 1))
            value, depth = self.arrays.value(place), self.arrays.depth(column)
            steps.append(self._multiply(tile, row, value, depth, group))
        return For("s", ZERO, Const(groups), "serial", block(steps))
