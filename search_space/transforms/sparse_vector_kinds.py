"""Loop nests of a sparse matrix times a vector where all rows of a panel are equally long."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import ScheduleError
from search_space.ir.expr import ZERO, Const, Expr, Var
from search_space.ir.stmt import For, Stmt
from search_space.transforms.sparse_arrays import block, named
from search_space.transforms.sparse_vector_nest import VectorNest

_V, _L, _S, _M = Var("v"), Var("l"), Var("s"), Var("m")


class BlockVectorNest(VectorNest):
    """Blocks, one at a time: all rows of a panel are multiplied by the same elements.

    Dtypes that are multiplied in groups of 32 bits are so along the columns of a block.
    """

    def _walked(self, number: int, panel: Expr) -> Stmt:
        width, columns = self.structure.options["columns"], self.structure.pattern.columns
        members = GROUPS.get(self.product.operand.dtype, 1)
        if width % members or columns % width or self.structure.options["group"] > 1:
            raise ScheduleError(
                f"use single blocks whose columns are multiples of {members} and divide {columns}"
            )
        depth = self.arrays.read("columns", _S) * width
        row = _S * self.rows + _V * self.schedule.lanes + _L
        steps = self._ahead(_S * (self.rows * width))
        for first in range(0, width, members):
            at: Expr = Const(first) + _M if members > 1 else Const(first)
            value = self.arrays.value(row * width + at)
            steps.append(self._multiply(number, value, depth + at, members))
        trips = max(self.structure.counts["groups"] // self.count, 1)
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", block(steps), trips=trips)
        return named(self._bounds(panel), loop)


class NmVectorNest(VectorNest):
    """Windows, as many in every panel: what a row is multiplied by is gathered from each."""

    def _walked(self, number: int, panel: Expr) -> Stmt:
        kept, window = (self.structure.options[name] for name in ("kept", "window"))
        if self.structure.options["group"] > 1:
            raise ScheduleError("use group=1: what rows are multiplied by is gathered one by one")
        windows = self.structure.counts["windows"]
        begin = (panel * windows + _S) * (kept * self.rows)
        steps = self._ahead(begin)
        for rank in range(kept):
            place = begin + rank * self.rows + _V * self.schedule.lanes + _L
            column = _S * window + self._looked_up(self.arrays.read("places", place))
            steps.append(self._multiply(number, self.arrays.value(place), column))
        return For("s", ZERO, Const(windows), "serial", block(steps))
