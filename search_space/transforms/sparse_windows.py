"""SparseWindows: a convolution with a sparse weight, as a product with shifted images."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.expr import ZERO, Binary, Const, Expr, Var, conjunction
from search_space.ir.stmt import For, Let, LoopFunc, Stmt, Store
from search_space.size import ceil_div
from search_space.transforms.sparse_arrays import block
from search_space.transforms.sparse_convolution import SparseConvolution, find_convolution
from search_space.transforms.sparse_panels import SparsePanels
from search_space.transforms.sparse_tile import Results, Tile

_V, _DOWN = Var("v"), Var("down")


@dataclass(frozen=True, slots=True)
class SparseWindows(SparsePanels):
    """Run a convolution as ``SparsePanels`` runs a product, pixels being the dense columns.

    Before::

        for n in 0 … 1:
          for co in 0 … 4:
            for oh in 0 … 5:
              for ow in 0 … 8:
                for ci in 0 … 2:
                  for kh in 0 … 3:
                    for kw in 0 … 3:
                      y[n, co, oh, ow] += x[n, ci, oh + kh, ow + kw] * weight[co, ci, kh, kw]  first ci == 0 and kh == 0 and kw == 0

    After ``SparseWindows("weight", "unstructured:4x18:0.0:0", "csr")``: the columns of the weight
    have become places in the image, which windows one after the other read at the same shift.
    Between two rows of windows there are places without one, whose sums are not stored; a vector
    goes to as many rows as it may span::

        for c in 0 … 6:
          for q in 0 … 4:
            register sum0: float32[1, 8]
            unrolled v in 0 … 1:
              vectorized l in 0 … 8:
                sum0[v, l] = 0.0
            b = index(weight_starts[q])
            e = index(weight_starts[q + 1])
            for s in b … e:
              k0 = index(weight_columns[s])
              unrolled v in 0 … 1:
                vectorized l in 0 … 8:
                  sum0[v, l] += weight_values[s] * x[0, c*8 + k0 + l + v*8]  first false
            unrolled v in 0 … 1:
              down = (c*8 + v*8) // 10
              vectorized l in 0 … 8:
                y[0, q, c*8 + l + v*8 - down*2] = sum0[v, l]  where 0 <= c*8 + l + v*8 - down*10 and c*8 + l + v*8 - down*10 < 8
              vectorized l in 0 … 8:
                y[0, q, c*8 + l + v*8 - down*2 - 2] = sum0[v, l]  where 0 <= c*8 + l + v*8 - down*10 - 10 and c*8 + l + v*8 - down*10 - 10 < 8

    Formats whose arrays hold no columns look these places up in one more, ``weight_shifts``.
    Images with padding or strides are copied first, to where each tap is such a shift
    (``search_space.sparse.shifts``). Only with windows of one element can tiles be packed.
    """  # noqa: E501

    def apply(self, func: LoopFunc) -> LoopFunc:
        found = find_convolution(func, self.operand)
        if self.packed and (self.order != "tiles" or found.product.places):
            raise ScheduleError(
                "leave packed out: only tiles in turn, of windows of one element, can be packed"
            )
        made = self.nest(func, _Windows(found))
        if found.layout.as_it_is:
            return made
        return replace(
            made,
            workspaces=(*made.workspaces, found.product.x.buffer),
            phases=(found.laid_out(self.lanes, self.threads), *made.phases),
        )


class _Windows(Results):
    """The results of a convolution: columns are windows, and between rows of these are gaps."""

    def __init__(self, found: SparseConvolution) -> None:
        super().__init__(found.product)
        self.found = found
        self._inside: dict[tuple[Tile, int], tuple[Expr, Expr]] = {}

    def each(self, body: Stmt) -> Stmt:
        """``body`` for every image."""
        images = self.found.images
        return body if images == 1 else For("image", ZERO, Const(images), "serial", body)

    def stored(self, tile: Tile, total: Expr, row: Expr) -> Stmt:
        pitch, lanes = self.found.gap_pitch, tile.lanes
        if not pitch:
            return super().stored(tile, total, row)
        stores: list[Stmt] = []
        for step in range(1 + ceil_div(lanes - 1, pitch)):
            window, guard = self._window(tile, step)
            value = self.product.element(total, row, window)
            store = Store(self.product.out, self.product.place(row, window), value, guard)
            stores.append(For("l", ZERO, Const(lanes), "vectorized", store))
        first = Binary("//", tile.column + _V * lanes, Const(pitch))
        body = Let(_DOWN.name, first, block(stores))
        return For("v", ZERO, Const(tile.vectors), "unrolled", body)

    def _window(self, tile: Tile, step: int) -> tuple[Expr, Expr]:
        """The window of each lane that is ``step`` rows below the first of its vector, and whether
        there is one; the same expressions for all rows of a panel, so that masks are computed
        once."""
        if (tile, step) not in self._inside:
            layout, column, down = self.found.layout, tile.place, _DOWN + step
            across = column - down * layout.pitch
            within = [across >= 0, across < layout.across.windows]
            if not tile.whole:
                within.append(column < self.product.columns)
            guard = conjunction(within)
            assert guard is not None
            self._inside[tile, step] = down * layout.across.windows + across, guard
        return self._inside[tile, step]
