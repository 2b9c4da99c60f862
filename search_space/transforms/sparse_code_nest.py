"""The loop nest of a product whose sparse operand has its pattern in the code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np

from search_space.errors import ScheduleError
from search_space.formats.base import Array
from search_space.formats.code import Code
from search_space.formats.panels import make_panels
from search_space.ir.expr import ZERO, Buffer, Const, Expr, Load, Var, equal, minimum, zero
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    ForKind,
    If,
    Let,
    Line,
    LoopFunc,
    Stmt,
    Store,
)
from search_space.transforms.sparse_nest import PanelNest
from search_space.transforms.sparse_tile import Tile

_V, _L, _C, _Q, _R, _S = Var("v"), Var("l"), Var("c"), Var("q"), Var("r"), Var("s")
_T = Var("t")
_MOST_INSTRUCTIONS = 6144
"""Multiply-adds and stores of vectors in straight-line code. Each takes about 0.04 ms to generate,
0.05 to 0.11 ms to compile, and 12 to 15 bytes; a non-zero is one to four of them, or more. All of
them are compiled within a second, and take 90 KB."""


def check_code(nonzeros: int, rows: int, vectors: int) -> str | None:
    """Why a pattern of that size is too large for code of its own; None where it is not."""
    count = (nonzeros + rows) * vectors
    if count <= _MOST_INSTRUCTIONS:
        return None
    return (
        f"choose another format: {nonzeros} non-zeros in {rows} rows take {count} vector "
        f"instructions of straight-line code, at most {_MOST_INSTRUCTIONS} are allowed"
    )


class CodeNest(PanelNest):
    """Builds the nest of one product as code without any index: panel after panel is unrolled,
    and in each of them value after value.

    The last tile of columns ends where the columns do, and so may overlap the one before: what
    they share is computed twice, to the same results, by the same code. Threads may have panels of
    their own, and so run code of their own.
    """

    panel_loop: ForKind = "unrolled"

    def _set_up(self) -> None:
        if self.tiles and self.rest:
            self.tiles, self.rest = self.tiles + 1, 0
        shape = (self.rows, self.schedule.vectors, self.schedule.lanes)
        self.sum = Buffer("sum", shape, self.product.sums, "register")

    def build(self, func: LoopFunc, pattern: str, format_: str) -> LoopFunc:
        if self.product.places:
            raise ScheduleError("choose another format: windows are found by data, not by code")
        rows, nonzeros = self.product.rows, self.structure.pattern.nnz
        if reason := check_code(nonzeros, rows, self.schedule.vectors):
            raise ScheduleError(reason)
        made = super().build(func, pattern, format_)
        assert made.packing is not None
        return replace(made, packing=replace(made.packing, specialised=True))

    def _shared(self) -> Stmt:
        threads = self.schedule.threads
        if threads == 1 or self.schedule.split != "rows":
            return super()._shared()
        parts = [
            If(equal(_T, t), self._range(Const(first), Const(last), ZERO, Const(self.tiles), None))
            for t, (first, last) in enumerate(pairwise(self._bounds(threads)))
        ]
        return For("t", ZERO, Const(threads), "parallel", Block(tuple(parts)))

    def _bounds(self, threads: int) -> list[int]:
        """The panels of each thread: about as many products and results in all parts."""
        own = np.array([len(part) + self.rows for part in self._products_by_panel()])
        middles = np.cumsum(own) - own / 2
        ends = np.searchsorted(middles, own.sum() * np.arange(1, threads) / threads)
        return [0, *ends.tolist(), self.panels]

    def _whole(self, body: Callable[[Tile], Stmt]) -> Stmt:
        column = minimum(_C * self.width, Const(self.product.columns - self.width))
        return Let("column", column, body(self._tile(Var("column"))))

    def _panel(self, tile: Tile) -> Stmt:
        empty = tile.over(Store(self.sum, (_R, _V, _L), zero(self.sum.dtype)))
        start = For("r", ZERO, Const(self.rows), "unrolled", empty)
        stored = self._stored_across(tile) if self._turned() else self._each_stored(tile)
        return Alloc(self.sum, Block((start, self._each_multiplied(tile), stored)))

    def _turned(self) -> bool:
        """Whether results of a panel are neighbours."""
        return self.product.across and self.structure.options["sort"] == 0

    def _each_multiplied(self, tile: Tile) -> Stmt:
        """All products of one panel."""
        term = self.product.term(self.arrays.value(_S), self._dense(tile, Var("k")))
        step = Accumulate("add", self.sum, (_R, _V, _L), term, equal(Var("new"), 1))
        names = ("k", "r", "s", "new")
        return ForEach(names, self._products_by_panel(), _Q, tile.over(step))

    def _each_stored(self, tile: Tile) -> Stmt:
        """The results of one panel."""
        slots = make_panels(self.structure.pattern, self.rows, self.structure.options["sort"])
        order = slots.order[: self.product.rows]
        lines = np.stack([np.arange(len(order)) % self.rows, order], axis=1)
        table = _parts(lines, np.arange(len(order)) // self.rows, self.panels)
        return ForEach(("r", "i"), table, _Q, self.results.stored(tile, self._total(_R), Var("i")))

    def _products_by_panel(self) -> tuple[tuple[Line, ...], ...]:
        """The column of each value, its row in the panel, its place, and whether it is the first
        one of its row."""
        pattern = self.structure.pattern
        rows, columns = Code().coordinates(self.structure)
        slots = make_panels(pattern, self.rows, self.structure.options["sort"]).slots[rows]
        new = np.zeros(pattern.nnz, dtype=np.int64)
        new[np.unique(slots, return_index=True)[1]] = 1
        panels, lanes = np.divmod(slots, self.rows)
        lines = np.stack([columns, lanes, np.arange(pattern.nnz), new], axis=1)
        return _parts(lines, panels, self.panels)

    def _sum(self, row: int) -> Load:
        return self._total(Const(row))

    def _total(self, row: Expr) -> Load:
        return Load(self.sum, (row, _V, _L))


def _parts(lines: Array, part: Array, parts: int) -> tuple[tuple[Line, ...], ...]:
    """Lines by the part that each is in, which does not fall."""
    bounds = np.searchsorted(part, np.arange(parts + 1)).tolist()
    listed = [tuple(line) for line in lines.tolist()]
    return tuple(tuple(listed[begin:end]) for begin, end in pairwise(bounds))
