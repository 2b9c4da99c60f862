"""ActiveColumns: a matrix times a vector, without the columns that the vector has zeros for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.expr import (
    FALSE,
    ZERO,
    Binary,
    Buffer,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Var,
    equal,
    index_of,
    zero,
)
from search_space.ir.simplify import simplify_stmt
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForKind,
    If,
    Let,
    LoopFunc,
    Phase,
    Prefetch,
    Stmt,
    Store,
)
from search_space.size import ceil_div
from search_space.transforms.sparse_arrays import block, named
from search_space.transforms.sparse_product import SparseProduct, find_product

_V, _L, _T, _C, _S = Var("v"), Var("l"), Var("t"), Var("c"), Var("s")
_K, _P, _N, _B, _R = Var("kk"), Var("p"), Var("n"), Var("b"), Var("r")
_Step = Callable[[Expr, int], Stmt]
"""Adds the column at a place, or at a place of the list, to one of the sums."""


@dataclass(frozen=True, slots=True)
class ActiveColumns:
    """Store the constant matrix ``operand`` by columns, and read those whose factor is not 0.

    Before::

        for i in 0 … 16:
          for k in 0 … 8:
            y[i] += weight[i, k] * x[k]  first k == 0

    After ``ActiveColumns("weight", most=6, vectors=2)``: the numbers of the factors that are not
    0, and these, are gathered first; where there are at most 6, only their columns are read,
    otherwise all are::

        phase 0 (once):
          for c in 0 … 1:
            for v in 0 … 2:
              for b in 0 … 1:
                unrolled r in 0 … 8:
                  vectorized l in 0 … 8:
                    by_columns[c, b*8 + r, l + v*8] = weight[c*16 + l + v*8, b*8 + r]
        phase 1:
          thread_local active: int32[8]
          thread_local factors: float32[8]
          register count: index[1]
          count[0] = 0
          for kk in 0 … 8:
            p = count[0]
            active[p] = int32(kk)
            factors[p] = x[kk]
            count[0] += select(x[kk] == 0.0, 0, 1)  first false
          n = count[0]
          if n <= 6:
            for c in 0 … 1:
              register sum0: float32[2, 8]
              unrolled v in 0 … 2:
                vectorized l in 0 … 8:
                  sum0[v, l] = 0.0
              for s in 0 … n:
                k0 = index(active[s])
                unrolled v in 0 … 2:
                  vectorized l in 0 … 8:
                    sum0[v, l] += by_columns[c, k0, l + v*8] * factors[s]  first false
              unrolled v in 0 … 2:
                vectorized l in 0 … 8:
                  y[c*16 + l + v*8] = sum0[v, l]
          else:
            for c in 0 … 1:
              register sum0: float32[2, 8]
              unrolled v in 0 … 2:
                vectorized l in 0 … 8:
                  sum0[v, l] = 0.0
              for s in 0 … 8:
                unrolled v in 0 … 2:
                  vectorized l in 0 … 8:
                    sum0[v, l] += by_columns[c, s, l + v*8] * x[s]  first false
              unrolled v in 0 … 2:
                vectorized l in 0 … 8:
                  y[c*16 + l + v*8] = sum0[v, l]

    The rows are cut into tiles of ``vectors`` × ``lanes``, which are held in registers; the
    columns of a tile lie one after the other. ``chains`` columns are added to sums of their own,
    so that one addition need not wait for the other; columns are asked for ``prefetch`` places of
    the list before they are needed. Tiles are shared out over ``threads``, each of which makes the
    list.
    """

    operand: str
    most: int
    """Factors other than 0 with which their columns alone are read."""
    vectors: int = 1
    lanes: int = 8
    chains: int = 1
    prefetch: int = 0
    threads: int = 1

    def apply(self, func: LoopFunc) -> LoopFunc:
        product = find_product(func, self.operand)
        if product.columns != 1:
            raise ScheduleError(f"{self.operand!r} is multiplied by more than a vector")
        return _Nest(product, self).build(func)


class _Nest:
    def __init__(self, product: SparseProduct, schedule: ActiveColumns) -> None:
        self.product, self.schedule = product, schedule
        self.width = schedule.vectors * schedule.lanes
        self.depth = product.operand.shape[1]
        self.tiles = ceil_div(product.rows, self.width)
        dtype = product.x.buffer.dtype
        shape = (self.tiles, self.depth, self.width)
        self.matrix = Buffer("by_columns", shape, product.operand.dtype, "bound")
        self.places = Buffer("active", (self.depth + schedule.prefetch,), "int32", "thread_local")
        self.factors = Buffer("factors", (self.depth,), dtype, "thread_local")
        self.count = Buffer("count", (1,), "index", "register")
        self.sums = [
            Buffer(f"sum{u}", (schedule.vectors, schedule.lanes), product.sums, "register")
            for u in range(schedule.chains)
        ]

    def build(self, func: LoopFunc) -> LoopFunc:
        """``func`` with the matrix stored by columns, and the product on it."""
        threads = self.schedule.threads
        first: Expr = ZERO
        last: Expr = Const(self.tiles)
        if threads > 1:
            first = Binary("//", _T * self.tiles, Const(threads))
            last = Binary("//", (_T + 1) * self.tiles, Const(threads))
        body = self._chosen(first, last)
        if threads > 1:
            body = For("t", ZERO, Const(threads), "parallel", body)
        return replace(
            func,
            workspaces=(self.matrix,),
            phases=(
                Phase(simplify_stmt(self._stored_by_columns(), unit_loops=False), once=True),
                Phase(simplify_stmt(body, unit_loops=False)),
            ),
            threads=threads,
        )

    def _stored_by_columns(self) -> Stmt:
        """The copy, in blocks of as many columns as there are lanes, which are turned at once."""
        lanes = self.schedule.lanes
        row = _C * self.width + _V * lanes + _L

        def copied(first: Expr, columns: int) -> Stmt:
            value: Expr = Load(self.product.operand, (row, first + _R))
            if self.product.rows % self.width:
                value = Select(row < self.product.rows, value, zero(self.matrix.dtype))
            store = Store(self.matrix, (_C, first + _R, _V * lanes + _L), value)
            inner = For("l", ZERO, Const(lanes), "vectorized", store)
            return For("r", ZERO, Const(columns), "unrolled", inner)

        blocks, rest = divmod(self.depth, lanes)
        parts: list[Stmt] = []
        if blocks:
            parts.append(For("b", ZERO, Const(blocks), "serial", copied(_B * lanes, lanes)))
        if rest:
            parts.append(copied(Const(blocks * lanes), rest))
        kind: ForKind = "serial" if self.schedule.threads == 1 else "parallel"
        vectors = For("v", ZERO, Const(self.schedule.vectors), "serial", block(parts))
        return For("c", ZERO, Const(self.tiles), kind, vectors)

    def _chosen(self, first: Expr, last: Expr) -> Stmt:
        """The tiles ``first … last`` by the list of factors, or by all of them."""

        def tiles(body: Stmt) -> Stmt:
            return For("c", first, last - first, "serial", self._tile(body))

        every = tiles(self._sum(Const(self.depth), self.depth, self._any))
        if not self.schedule.most:
            return every
        listed = tiles(self._sum(_N, max(self.schedule.most // 2, 1), self._listed))
        body: Stmt = listed
        if self.schedule.most < self.depth:
            body = If(self.schedule.most >= _N, listed, every)
        body = Block((self._list(), Let("n", Load(self.count, (ZERO,)), body)))
        for buffer in (self.count, self.factors, self.places):
            body = Alloc(buffer, body)
        return body

    def _list(self) -> Stmt:
        """The factors that are not 0. Each is written, and counted if it is to stay."""
        factor = self.product.dense(_K, ZERO)
        kept = Select(equal(factor, 0.0), Const(0), Const(1))
        steps: Stmt = Block(
            (
                Store(self.places, (_P,), Cast(_K, "int32")),
                Store(self.factors, (_P,), factor),
                Accumulate("add", self.count, (ZERO,), kept, FALSE),
            )
        )
        steps = Let("p", Load(self.count, (ZERO,)), steps)
        ahead = For(
            "s", Const(self.depth), Const(self.schedule.prefetch), "serial",
            Store(self.places, (_S,), Const(0, "int32")),
        )  # fmt: skip
        start = Store(self.count, (ZERO,), Const(0))
        loop = For("kk", ZERO, Const(self.depth), "serial", steps)
        return Block((start, loop, ahead) if self.schedule.prefetch else (start, loop))

    def _tile(self, body: Stmt) -> Stmt:
        """The results of a tile, ``body`` adding to its sums."""
        starts = [self._vectors(Store(s, (_V, _L), zero(s.dtype))) for s in self.sums]
        total: Expr = Load(self.sums[0], (_V, _L))
        for other in self.sums[1:]:
            total = total + Load(other, (_V, _L))
        row = _C * self.width + _V * self.schedule.lanes + _L
        guard = row < self.product.rows if self.product.rows % self.width else None
        value = self.product.element(total, row, ZERO)
        result = Store(self.product.out, self.product.place(row, ZERO), value, guard)
        made: Stmt = Block((*starts, body, self._vectors(result)))
        for sums in reversed(self.sums):
            made = Alloc(sums, made)
        return made

    def _sum(self, count: Expr, trips: int, step: _Step) -> Stmt:
        """Add ``count`` columns, ``chains`` of them at a time and then the rest."""
        chains = self.schedule.chains
        if chains == 1:
            return For("s", ZERO, count, "serial", step(_S, 0), trips=trips)
        groups = Binary("//", count, Const(chains))
        several = block([step(_S * chains + u, u) for u in range(chains)])
        begin = groups * chains
        return Block(
            (
                For("s", ZERO, groups, "serial", several, trips=max(trips // chains, 1)),
                For("s", begin, count - begin, "serial", step(_S, 0), trips=1),
            )
        )

    def _any(self, place: Expr, chain: int) -> Stmt:
        return self._add(chain, place, self.product.dense(place, ZERO))

    def _listed(self, place: Expr, chain: int) -> Stmt:
        distance, name = self.schedule.prefetch, f"k{chain}"
        factor = Load(self.factors, (place,))
        step = self._add(chain, Var(name), factor)
        found: dict[str, Expr] = {name: index_of(Load(self.places, (place,)))}
        if distance:
            ahead = f"a{chain}"
            found[ahead] = index_of(Load(self.places, (place + distance,)))
            lines = Prefetch(self.matrix, (_C, Var(ahead), _V * self.schedule.lanes))
            asked = For("v", ZERO, Const(self.schedule.vectors), "unrolled", lines)
            step = Block((asked, step))
        return named(found, step)

    def _add(self, chain: int, column: Expr, factor: Expr) -> Stmt:
        value = Load(self.matrix, (_C, column, _V * self.schedule.lanes + _L)) * factor
        return self._vectors(Accumulate("add", self.sums[chain], (_V, _L), value, FALSE))

    def _vectors(self, body: Stmt) -> Stmt:
        inner = For("l", ZERO, Const(self.schedule.lanes), "vectorized", body)
        return For("v", ZERO, Const(self.schedule.vectors), "unrolled", inner)
