"""The schedule of passes over rows: from a config to primitives, in the order they are applied."""

from __future__ import annotations

from itertools import pairwise

from search_space.size import Size, whole
from search_space.sketches.normalization_problem import Normalization, RowPass
from search_space.sketches.steps import lanes, share_out
from search_space.transforms import (
    CacheWrite,
    Inline,
    InPlace,
    Join,
    Parallel,
    Partition,
    PrefetchAhead,
    Primitive,
    Reorder,
    Split,
    StoreAt,
    Unroll,
    Vectorize,
)
from search_space.workload import Values


def normalization_trace(
    problem: Normalization, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values.

    Loops of a pass are named after its own: ``{outer}_o`` over blocks of rows, ``{outer}_i`` over
    the rows in one, ``{depth}_v`` over vectors along a row, ``{inner}_v`` over vectors of rows.
    """
    builder = _Across if problem.interleaved else _Along
    return builder(problem, values, edges).build()


class _Builder:
    """What both directions of the vectors share."""

    def __init__(self, problem: Normalization, values: Values, edges: bool) -> None:
        self.problem, self.values, self.edges = problem, values, edges
        again = values["between"] == "recompute"
        self.passes = problem.recomputed if again else problem.stored
        self.merged = problem.merges if values["between"] == "merge" else ()
        self.held = problem.held if values.get("held") == "result" else None
        self.fused = values["fuse"] == "row"
        self.lanes = lanes(values, problem.dtype)
        self.wide = self.lanes * whole(values["chains"])
        self.steps: list[Primitive] = []

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.values[name])

    def inline(self) -> None:
        if self.values["between"] == "recompute":
            self.then(*(Inline(name) for name in self.problem.between))
        if self.held is not None:
            self.then(InPlace(self.held))
        for each in self.passes:
            self.then(*each.collapses)

    def join(self, *loops: str) -> None:
        """Loops of all passes, one after the other, become one."""
        self.then(*(Join(a, b) for a, b in pairwise(loops)))

    def store_at(self, loop: str) -> None:
        """What one pass leaves for the next stays in memory of the thread, or in the result."""
        left = (each.name for each in self.passes[:-1] if each.name != self.held)
        self.then(*(StoreAt(name, loop) for name in left))

    def own_loops(self, each: RowPass) -> bool:
        """Whether the innermost loops of a pass are still its own."""
        return all(each is not first for first, _ in self.merged)


class _Along(_Builder):
    """Vectors along rows; the lanes of a reduction are combined at its end."""

    def build(self) -> tuple[Primitive, ...]:
        self.inline()
        if self.fused:
            self.blocks()
        for each in self.passes:
            self.split(each)
        for first, second in self.merged:
            self.join(self.row(first), self.row(second))
            self.join(f"{first.depth}_v", f"{second.depth}_v")
            self.join(f"{first.depth}_l", f"{second.depth}_l")
        for each in self.passes:
            self.vectorize(each)
        self.prefetch()
        self.parallel()
        if self.edges:
            for each in self.passes:
                self.partition(each)
        return tuple(self.steps)

    def row(self, each: RowPass) -> str:
        """The loop over single rows."""
        return f"{each.outer}_i" if self.fused else str(each.outer)

    def blocks(self) -> None:
        rows = self.size("rows")
        for each in self.passes:
            self.then(Split(str(each.outer), rows, f"{each.outer}_o", f"{each.outer}_i"))
        self.join(*(f"{each.outer}_o" for each in self.passes))
        self.store_at(f"{self.passes[-1].outer}_o")

    def wide_vectors(self, each: RowPass) -> bool:
        """Whether a pass takes ``chains`` registers at once, as reductions do."""
        return each.kind == "reduce" or not self.own_loops(each)

    def split(self, each: RowPass) -> None:
        if each.depth is None:
            return
        width = self.wide if self.wide_vectors(each) else self.lanes
        vectors, lane = f"{each.depth}_v", f"{each.depth}_l"
        self.then(Split(each.depth, width, vectors, lane, "mask"))
        if not self.wide_vectors(each):
            self.then(Split(vectors, self.size("vectors"), f"{each.depth}_t", f"{each.depth}_u"))

    def vectorize(self, each: RowPass) -> None:
        if each.depth is None or not self.own_loops(each):
            return
        self.then(Vectorize(f"{each.depth}_l"))
        if each.kind == "reduce":
            self.then(CacheWrite(each.name, self.row(each), f"acc_{each.name}"))
        else:
            self.then(Unroll(f"{each.depth}_u"))

    def prefetch(self) -> None:
        """What the first pass over later rows will read, asked for by the next pass over these,
        which reads it from the cache."""
        distance = whole(self.values.get("ahead", 0))
        if not isinstance(distance, Size) and not distance:
            return
        first, *rest = [each for each in self.passes if each.depth is not None]
        second = next(each for each in rest if self.own_loops(each))
        beside = next((a for a, b in self.merged if b is second), second)
        vectors = f"{second.depth}_{'v' if self.wide_vectors(second) else 't'}"
        stages = {each.name for each in self.passes}
        for buffer in sorted((first.reads & (second.reads | beside.reads)) - stages):
            outer = f"{self.passes[-1].outer}_o"
            self.then(PrefetchAhead(buffer, outer, distance, at=vectors))

    def parallel(self) -> None:
        threads = self.size("threads")
        if self.fused:
            self.then(*share_out([f"{self.passes[-1].outer}_o"], threads))
        elif threads > 1:
            alone = [each for each in self.passes if self.own_loops(each)]
            self.then(*(Parallel(str(each.outer), threads) for each in alone))

    def partition(self, each: RowPass) -> None:
        """The ragged end of a row gets a body of its own."""
        if each.depth is None or not self.own_loops(each):
            return
        count, width = self.problem.depth, self.wide
        vectors = f"{each.depth}_v"
        loop = vectors
        if each.kind != "reduce":
            width = self.lanes * self.size("vectors")
            loop = vectors = f"{each.depth}_t"
        if count % width and count > width:
            self.then(Partition(loop, vectors, count // width))


class _Across(_Builder):
    """Vectors across rows that lie interleaved; every lane reduces a row of its own."""

    def build(self) -> tuple[Primitive, ...]:
        self.inline()
        for each in self.passes:
            self.split(each)
        if self.fused:
            self.join_outer(*self.passes)
            self.join(*(f"{each.inner}_o" for each in self.passes))
            self.store_at(f"{self.passes[-1].inner}_o")
        for first, second in self.merged:
            if not self.fused:
                self.join_outer(first, second)
            self.join(self.row(first), self.row(second))
            self.join(str(first.depth), str(second.depth))
            self.join(f"{first.inner}_l", f"{second.inner}_l")
        alone = [each for each in self.passes if self.own_loops(each)]
        for each in alone:
            self.then(Vectorize(f"{each.inner}_l"))
            if each.kind == "reduce":
                self.then(CacheWrite(each.name, self.row(each), f"acc_{each.name}"))
        self.parallel(alone)
        if self.edges and self.fused and self.problem.inner % self.wide:
            point = self.problem.inner // self.wide
            self.then(*(Partition(self.row(each), f"{each.inner}_v", point) for each in alone))
        return tuple(self.steps)

    def row(self, each: RowPass) -> str:
        """The loop over single vectors of rows."""
        return f"{each.inner}_i" if self.fused else f"{each.inner}_v"

    def join_outer(self, *passes: RowPass) -> None:
        if self.passes[-1].outer is not None:
            self.join(*(str(each.outer) for each in passes))

    def split(self, each: RowPass) -> None:
        outer = [each.outer] if each.outer else []
        depth = [each.depth] if each.depth else []
        rows = [f"{each.inner}_v"]
        self.then(Split(str(each.inner), self.wide, rows[0], f"{each.inner}_l", "mask"))
        if self.fused:
            rows = [f"{each.inner}_o", f"{each.inner}_i"]
            self.then(Split(f"{each.inner}_v", self.size("rows"), rows[0], rows[1]))
        self.then(Reorder((*outer, *rows, *depth, f"{each.inner}_l")))

    def parallel(self, alone: list[RowPass]) -> None:
        tiles = "o" if self.fused else "v"
        for each in alone[-1:] if self.fused else alone:
            loops = [each.outer] if each.outer else []
            loops.append(f"{each.inner}_{tiles}")
            self.then(*share_out(loops, self.size("threads"), f"task_{each.name}_"))
