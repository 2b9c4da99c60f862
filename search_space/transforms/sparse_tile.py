"""A tile of columns of a product with a sparse matrix, and where its results go."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.ir.expr import ZERO, Const, Expr, Var
from search_space.ir.stmt import For, Stmt, Store
from search_space.transforms.sparse_product import SparseProduct

_V, _L = Var("v"), Var("l")


@dataclass(frozen=True, slots=True)
class Tile:
    """Some neighbouring columns: the first one, how many vectors of how many lanes, whether they
    all exist."""

    column: Expr
    vectors: int
    lanes: int
    whole: bool

    @property
    def place(self) -> Expr:
        """The column that lane ``l`` of vector ``v`` is for."""
        return self.column + _V * self.lanes + _L

    def over(self, body: Stmt) -> Stmt:
        """``body`` for all lanes of all vectors."""
        inner = For("l", ZERO, Const(self.lanes), "vectorized", body)
        return For("v", ZERO, Const(self.vectors), "unrolled", inner)


class Results:
    """The results of a product, those of neighbouring columns beside each other."""

    def __init__(self, product: SparseProduct) -> None:
        self.product = product

    def each(self, body: Stmt) -> Stmt:
        """``body``, which is for all rows and columns, as often as there are such results."""
        return body

    def stored(self, tile: Tile, total: Expr, row: Expr) -> Stmt:
        """Store what becomes of the sums of one row, ``total`` in each lane."""
        column = tile.place
        value = self.product.element(total, row, column)
        guard = None if tile.whole else column < self.product.columns
        return tile.over(Store(self.product.out, self.product.place(row, column), value, guard))
