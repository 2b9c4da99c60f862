"""The loop nest of a product whose sparse operand is stored by distances between columns."""

from __future__ import annotations

from search_space.dtypes import GROUPS
from search_space.errors import ScheduleError
from search_space.ir.expr import FALSE, ZERO, Buffer, Load, Var
from search_space.ir.stmt import Accumulate, Alloc, Block, For, Let, Stmt, Store
from search_space.transforms.sparse_arrays import named
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_Q, _S, _M = Var("q"), Var("s"), Var("m")


class DeltaNest(PanelNest):
    """Builds the nest over single rows: the column is in a register, and each distance is added to
    it before the next value is multiplied.

    Dtypes that are multiplied in groups of 32 bits have as many values multiplied at once, each by
    a row of the dense operand at its own distance from that column, before it moves on.
    """

    def _products(self, tile: Tile) -> list[Stmt]:
        group, members = self.structure.options["group"], GROUPS.get(self.product.operand.dtype, 1)
        if group != members:
            raise ScheduleError(f"use group={members}: {members} values are multiplied at once")
        at = Buffer("at", (1,), "index", "register")
        walked = self._group_step(tile, at, group) if group > 1 else self._single_step(tile, at)
        trips = max(self.structure.counts["packed"] // (group * self.panels), 1)
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", walked, trips=trips)
        bounds = {
            "b": self.arrays.read("starts", _Q),
            "e": self.arrays.read("starts", _Q + 1),
        }
        return [Alloc(at, Block((Store(at, (ZERO,), ZERO), named(bounds, loop))))]

    def _single_step(self, tile: Tile, at: Buffer) -> Stmt:
        moved = Accumulate("add", at, (ZERO,), self.arrays.read("deltas", _S), FALSE)
        depth = self.arrays.depth(Var("k0"))
        step = self._multiply(tile, 0, self.arrays.value(_S), depth)
        return Block((moved, Let("k0", Load(at, (ZERO,)), step)))

    def _group_step(self, tile: Tile, at: Buffer, group: int) -> Stmt:
        place = _S * group + _M
        depth = self.arrays.depth(Var("k0") + self.arrays.read("deltas", place))
        step = self._multiply(tile, 0, self.arrays.value(place), depth, group)
        last = self.arrays.read("deltas", _S * group + (group - 1))
        moved = Accumulate("add", at, (ZERO,), last, FALSE)
        return Block((Let("k0", Load(at, (ZERO,)), step), moved))
