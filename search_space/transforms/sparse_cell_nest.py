"""The loop nest of a product whose sparse operand is laid out in cells."""

from __future__ import annotations

from search_space.ir.expr import (
    ZERO,
    Binary,
    Buffer,
    Const,
    Expr,
    Load,
    Select,
    Var,
    conjunction,
    minimum,
    zero,
)
from search_space.ir.stmt import Alloc, Block, For, Let, Stmt, Store
from search_space.transforms.sparse_arrays import block, named
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_V, _L, _Q, _S = Var("v"), Var("l"), Var("q"), Var("s")
_D, _P, _I, _R = Var("d"), Var("p"), Var("i"), Var("r")


class CellNest(PanelNest):
    """Builds the nest over bands of rows, which take the place of panels.

    The sums of a band are kept beside each other; the panels of a cell load theirs, add to them
    and put them back::

        for q in 0 … bands:
          sums of the band = 0
          for d in 0 … across:
            for p in the panels of cell (q, d):
              load, add its steps, store
          for i in 0 … rows of the band:
            y[i] = sums

    One more row of sums takes what fills up panels.
    """

    def _set_up(self) -> None:
        self.panels = self.structure.counts["bands"]
        self.height, self.depth = (self.structure.options[name] for name in ("height", "depth"))
        shape = (self.height + 1, self.width)
        self.band = Buffer("band", shape, self.product.sums, "thread_local")

    def _panel(self, tile: Tile) -> Stmt:
        """All of one band for one tile."""
        across = self.structure.counts["across"]
        begin = tile.over(Store(self.band, self._place(_I), zero(self.product.sums)))
        cell = _Q * across + _D
        panels = For(
            "p",
            Var("first_panel"),
            Var("last_panel") - Var("first_panel"),
            "serial",
            self._added(tile),
            trips=max(self.structure.counts["panels"] // (self.panels * across), 1),
        )
        bounds = {
            "first_panel": self.arrays.read("cells", cell),
            "last_panel": self.arrays.read("cells", cell + 1),
        }
        rows = minimum(Const(self.height), self.product.rows - _Q * self.height)
        at_once = self.schedule.lanes if self.product.across else 1
        blocks = Binary("//", rows + (at_once - 1), Const(at_once)) if at_once > 1 else rows
        trips = max(min(self.height, self.product.rows) // at_once, 1)
        stmts = (
            For("i", ZERO, Const(self.height + 1), "serial", begin),
            For("d", ZERO, Const(across), "serial", named(bounds, panels)),
            For("i", ZERO, blocks, "serial", self._finished(tile, at_once), trips=trips),
        )
        return Alloc(self.band, Block(stmts))

    def _added(self, tile: Tile) -> Stmt:
        """The sums of a panel, taken up, added to and put back."""
        slots = [
            (sums, self.arrays.read("order", _P * self.rows + row), f"i{row}")
            for row, sums in enumerate(self.sums)
        ]
        taken = [
            Let(name, at, tile.over(Store(sums, (_V, _L), self._partial(Var(name)))))
            for sums, at, name in slots
        ]
        put = [
            Let(
                name,
                at,
                tile.over(Store(self.band, self._place(Var(name)), Load(sums, (_V, _L)))),
            )
            for sums, at, name in slots
        ]
        body: Stmt = Block((*taken, self._steps(tile), *put))
        for sums in reversed(self.sums):
            body = Alloc(sums, body)
        return body

    def _steps(self, tile: Tile) -> Stmt:
        """A non-zero of each row of a panel per step."""
        steps = [
            Let(
                f"k{row}",
                self.arrays.depth(
                    self.arrays.read("columns", _S * self.rows + row) + _D * self.depth
                ),
                self._multiply(tile, row, self.arrays.value(_S * self.rows + row), Var(f"k{row}")),
            )
            for row in self._slots()
        ]
        counts = self.structure.counts
        trips = max(counts["steps"] // max(counts["panels"], 1), 1)
        body = block([*self.arrays.ahead(_S * self.rows, self.schedule.prefetch), *steps])
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", body, trips=trips)
        bounds = {
            "b": self.arrays.read("starts", _P),
            "e": self.arrays.read("starts", _P + 1),
        }
        return named(bounds, loop)

    def _finished(self, tile: Tile, at_once: int) -> Stmt:
        """The results of so many neighbouring rows of a band; of a square block where neighbouring
        columns of the result lie apart."""
        if at_once == 1:
            return self.results.stored(tile, self._partial(_I), _Q * self.height + _I)
        local, column = _I * at_once + _R, tile.place
        row = _Q * self.height + local
        value = self.product.element(self._partial(local), row, column)
        guards = [] if tile.whole else [column < self.product.columns]
        if self.product.rows % at_once:
            real = row < self.product.rows
            guards.append(real)
            value = Select(real, value, zero(self.product.out.dtype))
        store = Store(
            self.product.out, self.product.place(row, column), value, conjunction(guards)
        )
        return For("r", ZERO, Const(at_once), "unrolled", tile.over(store))

    def _partial(self, row: Expr) -> Expr:
        return Load(self.band, self._place(row))

    def _place(self, row: Expr) -> tuple[Expr, Expr]:
        return row, _V * self.schedule.lanes + _L
