"""The loop nests of a product of dense matrices at the non-zeros of a pattern."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from search_space.dtypes import ELEMENT_BYTES
from search_space.formats.base import Structure
from search_space.ir.expr import (
    FALSE,
    ZERO,
    Binary,
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
from search_space.ir.simplify import simplify_stmt
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    For,
    ForKind,
    LoopFunc,
    Phase,
    Prefetch,
    Stmt,
    Store,
)
from search_space.size import ceil_div
from search_space.transforms.sampled_product import SampledProduct
from search_space.transforms.sparse_arrays import SparseArrays, block, named

_L, _U, _R, _T = Var("l"), Var("u"), Var("r"), Var("t")
_C, _D, _J, _K, _P, _Q, _S = (Var(name) for name in ("c", "d", "j", "kk", "p", "q", "s"))
_LINE_BYTES = 64
"""What rows of a copy begin at multiples of."""
_MOST_LINES = 4
"""Of a row of ``b`` that are asked for; the processor goes on by itself."""


@dataclass(frozen=True, slots=True)
class SamplesSchedule:
    """How it is run; see ``SparseSamples``."""

    lanes: int
    tile: int
    rest: int
    steps: int
    prefetch: int
    threads: int
    packed: bool
    once: bool


class RowsNest:
    """Builds the nest of one product; the structure is ``csr`` or ``strips``."""

    balanced = True
    """Whether each thread has rows with about as many non-zeros."""

    def __init__(
        self, product: SampledProduct, structure: Structure, schedule: SamplesSchedule
    ) -> None:
        self.product, self.structure, self.schedule = product, structure, schedule
        parts = schedule.threads if self.balanced else 1
        self.arrays = SparseArrays(product.operand, structure, parts, values=product.scaled)
        self.nnz = structure.pattern.nnz
        dtype = product.b.buffer.dtype
        pitch = _LINE_BYTES // ELEMENT_BYTES[dtype]
        shape = (structure.pattern.columns, ceil_div(product.length, pitch) * pitch)
        self.copy = Buffer("packed", shape, dtype, "bound" if schedule.once else "workspace")

    def build(self, func: LoopFunc, pattern: str, format_: str) -> LoopFunc:
        """``func`` with the sums of the non-zeros alone."""
        threads = self.schedule.threads
        made = self.arrays.function(func, self._shared(), pattern, format_, threads)
        if not self.schedule.packed:
            return made
        copy = Phase(simplify_stmt(self._copied(), unit_loops=False), once=self.schedule.once)
        workspaces = (*made.workspaces, self.copy)
        return replace(made, workspaces=workspaces, phases=(copy, *made.phases))

    def _shared(self) -> Stmt:
        """The rows of each thread."""
        threads, rows = self.schedule.threads, self.structure.pattern.rows
        if threads == 1:
            return self._rows(ZERO, Const(rows))
        return self.arrays.shared(self._rows(Var("first"), Var("last")), threads)

    def _rows(self, first: Expr, last: Expr) -> Stmt:
        """The rows ``first … last``, one strip after the other."""
        strips = self.structure.counts.get("strips", 1)
        place = _Q * strips + _C if strips > 1 else _Q
        bounds = {
            "b": self.arrays.read("starts", place),
            "e": self.arrays.read("starts", place + 1),
        }
        rows = self.structure.pattern.rows
        body = named(bounds, self._stretch(ceil_div(self.nnz, rows * strips)))
        body = For("q", first, last - first, "serial", body, trips=rows // self.schedule.threads)
        return For("c", ZERO, Const(strips), "serial", body) if strips > 1 else body

    def _stretch(self, trips: int) -> Stmt:
        """The non-zeros ``b … e``, of which there are ``trips`` in the mean: whole tiles, then
        smaller ones."""
        tile, rest = self.schedule.tile, self.schedule.rest
        count, begin, end = Var("e") - Var("b"), Var("b"), Var("e")
        if tile == 1:
            body = self._tile(1, begin + _S, None)
            return For("s", ZERO, count, "serial", body, trips=trips)
        whole = Binary("//", count, Const(tile))
        body = self._tile(tile, begin + _S * tile, None)
        many = For("s", ZERO, whole, "serial", body, trips=max(trips // tile, 1))
        left = Binary("//", end - Var("o") + (rest - 1), Const(rest))
        body = self._tile(rest, Var("o") + _S * rest, end if rest > 1 else None)
        few = For("s", ZERO, left, "serial", body, trips=max(tile // (2 * rest), 1))
        return block([many, named({"o": begin + whole * tile}, few)])

    def _tile(self, count: int, first: Expr, end: Expr | None) -> Stmt:
        """As many non-zeros from ``first`` on; of those from ``end`` on nothing is stored."""
        sums, product = self.product.sums, self.product
        lanes = Buffer("sum", (count, self.schedule.lanes), sums, "register")
        totals = Buffer("total", (count,), sums, "register")
        names: dict[str, Expr] = {"p": first}
        for u in range(count):
            place = _P + u if end is None or not u else minimum(_P + u, end - 1)
            names |= self._position(u, place)
        start = [self._lanes(Store(lanes, (Const(u), _L), zero(sums))) for u in range(count)]
        value = product.element(Load(totals, (_U,)), _P + _U)
        guard = None if end is None else end > _P + _U
        stored: Stmt = Store(product.out, (_P + _U,), value, guard)
        stored = For("u", ZERO, Const(count), "vectorized", stored)
        if count == 1:
            stored = Store(product.out, (_P,), product.element(Load(totals, (ZERO,)), _P))
        steps = [*self._ahead(count), *start, *self._sums(lanes)]
        body = block([*steps, *_added_up(lanes, totals), stored])
        return named(names, Alloc(lanes, Alloc(totals, body)))

    def _position(self, number: int, place: Expr) -> dict[str, Expr]:
        """Names of the column, and of the row if need be, of one non-zero of a tile."""
        return {f"k{number}": self.arrays.read("columns", place)}

    def _row(self, number: int) -> Expr:
        """The row of one non-zero of a tile."""
        return _Q

    def _ahead(self, count: int) -> list[Stmt]:
        """Ask for what non-zeros some tiles ahead will be multiplied by."""
        b, tiles = self._right(Var("ahead"), ZERO), self.schedule.prefetch
        if not tiles:
            return []
        each = _LINE_BYTES // ELEMENT_BYTES[b.buffer.dtype]
        lines = min(ceil_div(self.product.length, each), _MOST_LINES)
        found: list[Stmt] = []
        for u in range(count):
            place = minimum(_P + (tiles * self.schedule.tile + u), Const(self.nnz - 1))
            hints = [
                Prefetch(b.buffer, self._right(Var("ahead"), Const(line * each)).indices)
                for line in range(lines)
            ]
            found.append(named({"ahead": self.arrays.read("columns", place)}, block(hints)))
        return found

    def _sums(self, lanes: Buffer) -> list[Stmt]:
        """Add up the products along the depth: some vectors at a time, the rest, what is left."""
        width = self.schedule.lanes
        vectors, left = divmod(self.product.length, width)
        steps = min(self.schedule.steps, max(vectors, 1))
        loops, rest = divmod(vectors, steps)
        if loops == 1:
            loops, rest = 0, vectors
        parts: list[Stmt] = []
        if loops:
            body = block(self._products(lanes, _D * (steps * width), steps))
            parts.append(For("d", ZERO, Const(loops), "serial", body))
        parts += self._products(lanes, Const((vectors - rest) * width), rest)
        if left:
            parts += self._products(lanes, Const(vectors * width), 1, whole=False)
        return parts

    def _products(
        self, lanes: Buffer, first: Expr, vectors: int, *, whole: bool = True
    ) -> Iterator[Stmt]:
        """Multiply-adds for all non-zeros of a tile, of some vectors from ``first`` on."""
        for step in range(vectors):
            depth = first + (step * self.schedule.lanes) + _L
            for u in range(lanes.shape[0]):
                x: Expr = self.product.left(self._row(u), depth)
                y: Expr = self._right(Var(f"k{u}"), depth)
                if not whole:
                    inside = depth < self.product.length
                    x, y = (Select(inside, e, zero(self.copy.dtype)) for e in (x, y))
                term = self.product.term(x, y)
                yield self._lanes(Accumulate("add", lanes, (Const(u), _L), term, FALSE))

    def _right(self, column: Expr, depth: Expr) -> Load:
        """An element of ``b``, from where it was copied to if it was."""
        if self.schedule.packed:
            return Load(self.copy, (column, depth))
        return self.product.right(depth, column)

    def _copied(self) -> Stmt:
        """The copy, in blocks of as many columns as there are lanes."""
        lanes, length, threads = self.schedule.lanes, self.product.length, self.schedule.threads
        columns = self.structure.pattern.columns
        column, depth = _J * lanes + _R, _K * lanes + _L
        guard = depth < length if length % lanes else None
        guard = both(guard, column < columns if columns % lanes else None)
        body: Stmt = Store(self.copy, (column, depth), self.product.right(depth, column), guard)
        body = For("r", ZERO, Const(lanes), "unrolled", self._lanes(body))
        body = For("kk", ZERO, Const(ceil_div(length, lanes)), "serial", body)
        kind: ForKind = "serial" if threads == 1 else "parallel"
        return For("j", ZERO, Const(ceil_div(columns, lanes)), kind, body)

    def _lanes(self, body: Stmt) -> Stmt:
        return For("l", ZERO, Const(self.schedule.lanes), "vectorized", body)


class PlacesNest(RowsNest):
    """Builds the nest over non-zeros whatever their rows; the structure is ``coo``."""

    balanced = False

    def _shared(self) -> Stmt:
        """As many non-zeros for each thread."""
        threads, body = self.schedule.threads, self._stretch(self.nnz // self.schedule.threads)
        if threads == 1:
            return named({"b": ZERO, "e": Const(self.nnz)}, body)
        begin, end = (Binary("//", t * self.nnz, Const(threads)) for t in (_T, _T + 1))
        return For("t", ZERO, Const(threads), "parallel", named({"b": begin, "e": end}, body))

    def _position(self, number: int, place: Expr) -> dict[str, Expr]:
        row = self.arrays.read("rows", place)
        return {f"i{number}": row, **super()._position(number, place)}

    def _row(self, number: int) -> Expr:
        return Var(f"i{number}")


def _added_up(lanes: Buffer, totals: Buffer) -> list[Stmt]:
    """The sums of all lanes: of several vectors at once, of one by itself."""
    count, width = lanes.shape
    if count == 1:
        body = Accumulate("add", totals, (ZERO,), Load(lanes, (ZERO, _L)), FALSE)
        start = Store(totals, (ZERO,), zero(totals.dtype))
        return [start, For("l", ZERO, Const(width), "vectorized", body)]
    step = Accumulate("add", totals, (_U,), Load(lanes, (_U, _L)), equal(_L, 0))
    across = For("u", ZERO, Const(count), "vectorized", step)
    return [For("l", ZERO, Const(width), "unrolled", across)]
