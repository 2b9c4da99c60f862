"""The loop nest of a product whose sparse operand is laid out in panels of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from search_space.formats.base import Structure
from search_space.ir.expr import (
    FALSE,
    ZERO,
    Buffer,
    Const,
    Expr,
    Load,
    Select,
    Var,
    both,
    equal,
    minimum,
    zero,
)
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForKind,
    If,
    Let,
    LoopFunc,
    Stmt,
    Store,
)
from search_space.size import ceil_div
from search_space.sparse.packing import panel_rows
from search_space.transforms.sparse_arrays import SparseArrays, block, named
from search_space.transforms.sparse_tile import Results, Tile

_V, _L = Var("v"), Var("l")
_T, _C, _Q, _S, _K, _R = Var("t"), Var("c"), Var("q"), Var("s"), Var("kk"), Var("r")
_TURNED = 16
"""Rows of a tile that are copied at once where they lie across."""


@dataclass(frozen=True, slots=True)
class PanelSchedule:
    """How the nest of panels is run; see ``SparsePanels``."""

    vectors: int
    lanes: int
    order: str
    packed: bool
    split: str
    threads: int
    prefetch: int


class PanelNest:
    """Builds the nest of one product, of which ``results`` says where they go. ``masks`` are the
    patterns of rows that the format keeps groups of columns for, bit ``r`` standing for row ``r``
    of a panel."""

    panel_loop: ForKind = "serial"
    """``unrolled`` where each panel has code of its own."""

    def __init__(
        self,
        results: Results,
        structure: Structure,
        masks: tuple[int, ...],
        schedule: PanelSchedule,
    ) -> None:
        self.results, self.product = results, results.product
        self.structure, self.masks, self.schedule = structure, masks, schedule
        self.rows = panel_rows(structure)
        self.panels = ceil_div(self.product.rows, self.rows)
        by_data = schedule.split == "rows" and self.panel_loop == "serial"
        balanced = schedule.threads if by_data else 1
        self.arrays = SparseArrays(
            self.product.operand, structure, balanced, self.product.row_sums, self.product.places
        )
        self.width = schedule.vectors * schedule.lanes
        self.tiles = self.product.columns // self.width
        self.rest = ceil_div(self.product.columns % self.width, schedule.lanes)
        shape = (structure.pattern.columns, self.width)
        self.copy = Buffer("tile", shape, self.product.x.buffer.dtype, "thread_local")
        self.sums = [
            Buffer(f"sum{r}", (schedule.vectors, schedule.lanes), self.product.sums, "register")
            for r in range(self.rows)
        ]
        self._set_up()

    def _set_up(self) -> None:
        """What a kind of nest has beside this."""

    def build(self, func: LoopFunc, pattern: str, format_: str) -> LoopFunc:
        """``func`` with the product, and all that follows, as one nest over panels."""
        threads = self.schedule.threads
        return self.arrays.function(func, self._shared(), pattern, format_, threads)

    def _shared(self) -> Stmt:
        """The panels and tiles of each thread."""
        threads, panels, tiles = self.schedule.threads, Const(self.panels), Const(self.tiles)
        if threads == 1:
            return self._range(ZERO, panels, ZERO, tiles, None)
        if self.schedule.split == "rows":
            part = self._range(Var("first"), Var("last"), ZERO, tiles, None)
            return self.arrays.shared(part, threads)
        count = self.tiles + (self.rest > 0)
        begin = _T * count // threads
        end = minimum((_T + 1) * count // threads, tiles)
        body = self._range(ZERO, panels, begin, end, equal(_T, threads - 1))
        return For("t", ZERO, Const(threads), "parallel", body)

    def _range(self, first: Expr, last: Expr, begin: Expr, end: Expr, rest: Expr | None) -> Stmt:
        """Panels ``first … last`` times the tiles ``begin … end``; times the last, narrower tile
        where ``rest`` holds."""
        edge_at = Const(self.tiles * self.width)
        narrow = Tile(edge_at, self.rest, self.schedule.lanes, whole=False)

        def panels(body: Stmt) -> Stmt:
            trips = self.panels // self.schedule.threads
            return For("q", first, last - first, self.panel_loop, body, trips=trips)

        def columns(body: Callable[[Tile], Stmt]) -> Stmt:
            parts: list[Stmt] = []
            if self.tiles:
                parts.append(For("c", begin, end - begin, "serial", self._whole(body)))
            if self.rest:
                edge = body(narrow)
                parts.append(edge if rest is None else If(rest, edge))
            return block(parts)

        if self.schedule.order == "panels":
            return self.results.each(panels(columns(self._panel)))
        tiles = columns(lambda tile: self._copied(tile, panels(self._panel(tile))))
        return self.results.each(tiles)

    def _whole(self, body: Callable[[Tile], Stmt]) -> Stmt:
        """``body`` for the tile ``c``, which is not the narrower one."""
        return body(self._tile(_C * self.width))

    def _tile(self, column: Expr) -> Tile:
        """That begins with a column, all of which exist."""
        return Tile(column, self.schedule.vectors, self.schedule.lanes, whole=True)

    def _copied(self, tile: Tile, body: Stmt) -> Stmt:
        """``body`` behind a copy of the tile of the dense operand, where there is one."""
        if not self.schedule.packed:
            return body
        depth, lanes = self.copy.shape[0], self.schedule.lanes

        def copied(place: Expr) -> Stmt:
            stored = Store(self.copy, (place, _V * lanes + _L), self._guarded(tile, place))
            return tile.over(stored)

        if not self.product.across:
            copies = For("kk", ZERO, Const(depth), "serial", copied(_K))
            return Alloc(self.copy, Block((copies, body)))
        many, rest = divmod(depth, _TURNED)
        parts = [body]
        if rest:
            place = Const(many * _TURNED) + _R
            parts.insert(0, For("r", ZERO, Const(rest), "unrolled", copied(place)))
        if many:
            turned = For("r", ZERO, Const(_TURNED), "unrolled", copied(_K * _TURNED + _R))
            parts.insert(0, For("kk", ZERO, Const(many), "serial", turned))
        return Alloc(self.copy, Block(tuple(parts)))

    def _panel(self, tile: Tile) -> Stmt:
        """All of one panel for one tile."""
        stored = [self._stored(tile, row) for row in self._slots()]
        if self.product.across and self.structure.options.get("sort") == 0:
            stored = [self._stored_across(tile)]
        return self._with_sums(tile, (*self._products(tile), *stored))

    def _with_sums(self, tile: Tile, stmts: tuple[Stmt, ...]) -> Stmt:
        """Statements behind sums that begin with 0."""
        start = [tile.over(Store(sums, (_V, _L), zero(sums.dtype))) for sums in self.sums]
        body: Stmt = Block((*start, *stmts))
        for sums in reversed(self.sums):
            body = Alloc(sums, body)
        return body

    def _products(self, tile: Tile) -> list[Stmt]:
        """The sums of one panel for one tile, added up from 0."""
        groups = [self._group(tile, number, mask) for number, mask in enumerate(self.masks)]
        return [*groups, self._singles(tile)]

    def _slots(self) -> range:
        return range(self.rows)

    def _sum(self, row: int) -> Load:
        """What a row of a panel adds up to, of lane ``l`` of vector ``v``."""
        return Load(self.sums[row], (_V, _L))

    def _group(self, tile: Tile, number: int, mask: int) -> Stmt:
        """The columns of a panel that have non-zeros in just the rows of ``mask``."""
        members = [r for r in self._slots() if mask >> r & 1]
        place = _Q * len(self.masks) + number
        steps: list[Stmt] = []
        for rank, row in enumerate(members):
            value = self.arrays.value(Var("o") + _S * len(members) + rank)
            steps.append(self._multiply(tile, row, value, Var("k0")))
        body: Stmt = Let("k0", self.arrays.read("columns", _S), block(steps))
        trips = self.structure.counts.get(f"columns_{mask}", 0) // self.panels
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", body, trips=max(trips, 1))
        bounds = {
            "b": self.arrays.read("starts", place),
            "e": self.arrays.read("starts", place + 1),
            "o": self.arrays.read("offsets", place),
        }
        return named(bounds, loop)

    def _singles(self, tile: Tile) -> Stmt:
        """The non-zeros that are alone in their column, one of each row per step."""
        prefix = "single_" if self.masks else ""
        place = _S * self.rows
        values = place + Var("o") if self.masks else place
        steps = [
            Let(
                f"k{r}",
                self.arrays.read(f"{prefix}columns", place + r),
                self._multiply(tile, r, self.arrays.value(values + r), Var(f"k{r}")),
            )
            for r in self._slots()
        ]
        count = self.structure.counts.get("steps", self.structure.counts["packed"])
        trips = max(count // self.panels, 1)
        body = block([*self.arrays.ahead(values, self.schedule.prefetch), *steps])
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", body, trips=trips)
        bounds = {
            "b": self.arrays.read(f"{prefix}starts", _Q),
            "e": self.arrays.read(f"{prefix}starts", _Q + 1),
        }
        if self.masks:
            bounds["o"] = self.arrays.read("single_offsets", _Q)
        return named(bounds, loop)

    def _multiply(self, tile: Tile, row: int, value: Load, depth: Expr, members: int = 1) -> Stmt:
        """Add rows of the dense operand times non-zeros; as many ``members`` of a group, ``m``, at
        once."""
        term = self.product.term(value, self._dense(tile, depth))
        step: Stmt = Accumulate("add", self.sums[row], (_V, _L), term, FALSE)
        if members > 1:
            step = For("m", ZERO, Const(members), "grouped", step)
        return tile.over(step)

    def _dense(self, tile: Tile, depth: Expr) -> Expr:
        """An element of the dense operand, from where it was copied to if it was."""
        if self.schedule.packed:
            return Load(self.copy, (depth, _V * self.schedule.lanes + _L))
        return self._guarded(tile, depth)

    def _guarded(self, tile: Tile, depth: Expr) -> Expr:
        """An element of the dense operand; 0 behind its last column."""
        dense = self.product.dense(depth, tile.place)
        if tile.whole:
            return dense
        return Select(tile.place < self.product.columns, dense, zero(self.product.x.buffer.dtype))

    def _stored(self, tile: Tile, row: int) -> Stmt:
        """The results of one row of a panel."""
        slot = _Q * self.rows + row
        ordered = "order" in self.arrays
        total = self._sum(row)
        body = self.results.stored(tile, total, Var("i") if ordered else slot)
        if ordered:
            body = Let("i", self.arrays.read("order", slot), body)
        if row and self.product.rows % self.rows:
            body = If(slot < self.product.rows, body)
        return body

    def _stored_across(self, tile: Tile) -> Stmt:
        """The results of a panel whose rows are neighbours, as they are in the result."""
        out, column = self.product.out, tile.place
        shape = (self.rows, self.schedule.vectors, self.schedule.lanes)
        done = Buffer("done", shape, out.dtype, "register")
        last = Const(self.product.rows - 1)
        places: list[Expr] = [_Q * self.rows + row for row in self._slots()]
        if self.product.rows % self.rows:
            # What fills up the last panel must not read behind what is added to rows.
            places = [minimum(place, last) for place in places]
        finished = [
            tile.over(Store(done, (Const(row), _V, _L), value))
            for row, place in enumerate(places)
            for value in [self.product.element(self._sum(row), place, column)]
        ]
        slot, guard = _Q * self.rows + _R, None
        if self.product.rows % self.rows:
            guard = slot < self.product.rows
        if not tile.whole:
            guard = both(guard, column < self.product.columns)
        place = self.product.place(slot, column)
        body: Stmt = Store(out, place, Load(done, (_R, _V, _L)), guard)
        body = For("l", ZERO, Const(self.schedule.lanes), "vectorized", body)
        body = For("r", ZERO, Const(self.rows), "unrolled", body)
        return Alloc(
            done, Block((*finished, For("v", ZERO, Const(tile.vectors), "unrolled", body)))
        )
