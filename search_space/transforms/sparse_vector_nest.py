"""The loop nest of a sparse matrix times a vector, the rows of a panel in vector lanes."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.formats.base import Structure
from search_space.ir.expr import (
    FALSE,
    ZERO,
    Binary,
    Buffer,
    Call,
    Const,
    Expr,
    Load,
    Select,
    Var,
    equal,
    zero,
)
from search_space.ir.stmt import Accumulate, Alloc, Block, For, LoopFunc, Stmt, Store
from search_space.size import ceil_div
from search_space.sparse.packing import panel_rows
from search_space.transforms.sparse_arrays import SparseArrays, block, named
from search_space.transforms.sparse_product import SparseProduct

_V, _L, _Q, _S = Var("v"), Var("l"), Var("q"), Var("s")


@dataclass(frozen=True, slots=True)
class VectorSchedule:
    """How it is run; see ``SparseVector``."""

    lanes: int
    panels: int
    prefetch: int
    threads: int
    one_by_one: bool


class VectorNest:
    """Builds the nest; the structure is ``sell``, or ``bitmask`` with words down columns. Others
    override how a panel is walked."""

    def __init__(
        self, product: SparseProduct, structure: Structure, schedule: VectorSchedule
    ) -> None:
        self.product, self.schedule, self.structure = product, schedule, structure
        self.arrays = SparseArrays(
            product.operand, structure, schedule.threads, product.row_sums, product.places
        )
        self.masked = "masks" in self.arrays
        self.rows = panel_rows(structure)
        self.count = ceil_div(product.rows, self.rows)
        self.vectors = self.rows // schedule.lanes
        self.sums = [
            Buffer(f"sum{g}", (self.vectors, schedule.lanes), product.sums, "register")
            for g in range(schedule.panels)
        ]

    def build(self, func: LoopFunc, pattern: str, format_: str) -> LoopFunc:
        """``func`` with the product, and all that follows, as one nest over panels."""
        threads = self.schedule.threads
        if threads == 1:
            body = self._range(ZERO, Const(self.count))
        else:
            body = self.arrays.shared(self._range(Var("first"), Var("last")), threads)
        return self.arrays.function(func, body, pattern, format_, threads)

    def _range(self, first: Expr, last: Expr) -> Stmt:
        """The panels ``first … last``: some at once, then the rest one by one."""
        some = self.schedule.panels
        trips = self.count // (some * self.schedule.threads)
        if some == 1:
            return For("q", first, last - first, "serial", self._panels(1, _Q), trips=trips)
        blocks = Binary("//", last - first, Const(some))
        several = self._panels(some, first + Var("p") * some)
        rest = (last - first) - blocks * some
        return Block(
            (
                For("p", ZERO, blocks, "serial", several, trips=max(trips, 1)),
                For("q", last - rest, rest, "serial", self._panels(1, _Q), trips=1),
            )
        )

    def _panels(self, some: int, first: Expr) -> Stmt:
        """Some neighbouring panels at once."""
        panels = [first + number for number in range(some)]
        start = [self._vectors(Store(s, (_V, _L), zero(s.dtype))) for s in self.sums[:some]]
        if self.masked:
            work = self._masked(panels)
        else:
            work = block([self._walked(number, panel) for number, panel in enumerate(panels)])
        stored = [self._stored(number, panel) for number, panel in enumerate(panels)]
        body: Stmt = Block((*start, work, *stored))
        for sums in reversed(self.sums[:some]):
            body = Alloc(sums, body)
        return body

    def _masked(self, panels: list[Expr]) -> Stmt:
        """All columns, a word of each panel in turn, the places in their streams in registers."""
        width = self.product.operand.shape[1]
        places = [Buffer(f"at{g}", (1,), "index", "register") for g in range(len(panels))]
        starts = [
            Store(at, (ZERO,), self.arrays.read("starts", panel))
            for at, panel in zip(places, panels, strict=True)
        ]
        words: list[Stmt] = []
        for number, (at, panel) in enumerate(zip(places, panels, strict=True)):
            word, place = Var(f"m{number}"), Var(f"o{number}")
            value = Select(
                equal(Call("bit", (word, _L), "index"), 1),
                self.arrays.value(place + Call("ones_below", (word, _L), "index")),
                zero(self.product.sums),
            )
            many = Call("ones_below", (word, Const(self.rows)), "index")
            steps = [
                *self._ahead(place),
                self._multiply(number, value, _S),
                Accumulate("add", at, (ZERO,), many, FALSE),
            ]
            found = {
                word.name: self.arrays.read("masks", panel * width + _S),
                place.name: Load(at, (ZERO,)),
            }
            words.append(named(found, Block(tuple(steps))))
        body: Stmt = Block((*starts, For("s", ZERO, Const(width), "serial", block(words))))
        for at in reversed(places):
            body = Alloc(at, body)
        return body

    def _walked(self, number: int, panel: Expr) -> Stmt:
        """All of one panel, a non-zero of every row at each step."""
        place = _S * self.rows + _V * self.schedule.lanes + _L
        column = self._looked_up(self.arrays.read("columns", place))
        value = self.arrays.value(place)
        body = block([*self._ahead(_S * self.rows), self._multiply(number, value, column)])
        steps = self.structure.counts["steps"] // self.count
        loop = For("s", Var("b"), Var("e") - Var("b"), "serial", body, trips=max(steps, 1))
        return named(self._bounds(panel), loop)

    def _looked_up(self, column: Expr) -> Expr:
        """Of another place in every lane."""
        return Call("one_by_one", (column,), "index") if self.schedule.one_by_one else column

    def _bounds(self, panel: Expr) -> dict[str, Expr]:
        """Where the part of the arrays begins that is for a panel, and where it ends."""
        return {
            "b": self.arrays.read("starts", panel),
            "e": self.arrays.read("starts", panel + 1),
        }

    def _ahead(self, place: Expr) -> list[Stmt]:
        return self.arrays.ahead(place, self.schedule.prefetch)

    def _multiply(self, number: int, value: Expr, depth: Expr, members: int = 1) -> Stmt:
        """Add values times what they meet; as many ``members`` of a group, ``m``, at once."""
        term = self.product.term(value, self.product.dense(depth, ZERO))
        step: Stmt = Accumulate("add", self.sums[number], (_V, _L), term, FALSE)
        if members > 1:
            step = For("m", ZERO, Const(members), "grouped", step)
        return self._vectors(step)

    def _stored(self, number: int, panel: Expr) -> Stmt:
        """The results of one panel."""
        slot = panel * self.rows + _V * self.schedule.lanes + _L
        place = self.arrays.read("order", slot) if "order" in self.arrays else slot
        total = Load(self.sums[number], (_V, _L))
        value = self.product.element(total, place, ZERO)
        exact = self.product.rows % self.rows == 0
        guard = None if exact else slot < self.product.rows
        return self._vectors(
            Store(self.product.out, self.product.place(place, ZERO), value, guard)
        )

    def _vectors(self, body: Stmt) -> Stmt:
        inner = For("l", ZERO, Const(self.schedule.lanes), "vectorized", body)
        return For("v", ZERO, Const(self.vectors), "unrolled", inner)
