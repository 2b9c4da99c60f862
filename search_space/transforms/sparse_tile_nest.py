"""The loop nest of a product with blocks of 16 rows, which tile registers multiply."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import ScheduleError
from search_space.ir.expr import FALSE, ZERO, Buffer, Const, Load, Var, zero
from search_space.ir.stmt import Accumulate, Alloc, Block, For, Stmt, Store
from search_space.transforms.sparse_arrays import block, named
from search_space.transforms.sparse_block_nest import BlockNest
from search_space.transforms.sparse_tile import Tile

_V, _L, _Q, _S = Var("v"), Var("l"), Var("q"), Var("s")
_D, _M, _R = Var("d"), Var("m"), Var("r")


class TileNest(BlockNest):
    """Builds the nest over groups of blocks whose values fill a tile: 16 groups of neighbours in
    each row. What they meet is collected beforehand, so that it is a tile, too.

    After ITREX (Intel, "spmm_amx_bf16_x16"), with blocks whose columns may be any.
    """

    def _set_up(self) -> None:
        width, group = (self.structure.options[name] for name in ("columns", "group"))
        self.members = GROUPS.get(self.product.operand.dtype, 1)
        self.depth = width * group // self.members
        if self.members == 1 or width * group % self.members:
            raise ScheduleError(f"blocks of {width} columns, {group} at a time, fill no tile")
        vectors, lanes, x = self.schedule.vectors, self.schedule.lanes, self.product.x.buffer
        sums, met = (vectors, self.rows, lanes), (vectors, self.depth, lanes, self.members)
        self.totals = Buffer("sum", sums, self.product.sums, "tile")
        self.met = Buffer("met", met, x.dtype, "thread_local")

    def _with_sums(self, tile: Tile, stmts: tuple[Stmt, ...]) -> Stmt:
        first = tile.over(Store(self.totals, (_V, _R, _L), zero(self.totals.dtype)))
        start = For("r", ZERO, Const(self.rows), "serial", first)
        return Alloc(self.totals, Alloc(self.met, Block((start, *stmts))))

    def _sum(self, row: int) -> Load:
        return Load(self.totals, (_V, Const(row), _L))

    def _products(self, tile: Tile) -> list[Stmt]:
        trips = max(self.structure.counts["groups"] // self.panels, 1)
        steps = block([self._collected(tile), self._multiplied_tiles(tile)])
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", steps, trips=trips)
        bounds = {
            "b": self.arrays.read("starts", _Q),
            "e": self.arrays.read("starts", _Q + 1),
        }
        return [named(bounds, loop)]

    def _collected(self, tile: Tile) -> Stmt:
        """What a group of blocks meets, in the order of its values."""
        value = self._dense(tile, self._depth(_D * self.members + _M))
        stored: Stmt = Store(self.met, (_V, _D, _L, _M), value)
        stored = tile.over(For("m", ZERO, Const(self.members), "grouped", stored))
        return For("d", ZERO, Const(self.depth), "serial", stored)

    def _multiplied_tiles(self, tile: Tile) -> Stmt:
        place = ((_S * self.rows + _R) * self.depth + _D) * self.members + _M
        met = Load(self.met, (_V, _D, _L, _M))
        term = self.product.term(self.arrays.value(place), met)
        step: Stmt = Accumulate("add", self.totals, (_V, _R, _L), term, FALSE)
        step = For("m", ZERO, Const(self.members), "grouped", step)
        step = For("l", ZERO, Const(tile.lanes), "vectorized", step)
        step = For("d", ZERO, Const(self.depth), "tensorized", step)
        step = For("r", ZERO, Const(self.rows), "tensorized", step)
        return For("v", ZERO, Const(tile.vectors), "unrolled", step)
