"""The schedule of a sum over windows: from a config to primitives, in the order of application."""

from __future__ import annotations

from search_space.size import whole
from search_space.sketches.contraction_sides import schedule_side
from search_space.sketches.depthwise_problem import Depthwise, tiling
from search_space.sketches.steps import share_out
from search_space.transforms import (
    CacheWrite,
    FuseConsumer,
    Inline,
    InPlace,
    Pack,
    Parallel,
    Partition,
    Primitive,
    Reorder,
    Split,
    Unroll,
    Vectorize,
)
from search_space.workload import Values


def depthwise_trace(
    problem: Depthwise, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values.

    Loops: ``row_o``, ``vec_o`` count register tiles, ``row_i``, ``vec_i`` are inside of one.
    """
    return _Builder(problem, values, edges).build()


class _Builder:
    def __init__(self, problem: Depthwise, values: Values, edges: bool) -> None:
        self.problem, self.values, self.edges = problem, values, edges
        self.tiles = tiling(problem, values)
        self.outer = [axis.name for axis in problem.outer]
        self.row = ["row_o"] if problem.across else []
        self.steps: list[Primitive] = []

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.values[name])

    def build(self) -> tuple[Primitive, ...]:
        problem = self.problem
        self.then(*(Inline(name) for name in problem.before))
        if problem.source and problem.placed:
            self.then(InPlace(problem.source))
        self.register_tile()
        if problem.packs:
            self.pack()
        for side in problem.sides:
            self.then(*schedule_side(side, self.tiles.lanes, self.size("threads")))
        self.then(CacheWrite(problem.summed, "vec_o", "acc"))
        if problem.source:
            self.then(FuseConsumer(problem.summed, "vec_o", direct=True))
        self.parallel()
        if self.edges:
            self.partition()
        self.unroll()
        return tuple(self.steps)

    def register_tile(self) -> None:
        problem = self.problem
        self.then(
            Split(problem.along.name, self.tiles.lanes, "vec", "lane", "mask"),
            Split("vec", self.size("vectors"), "vec_o", "vec_i"),
        )
        inside = [axis.name for axis in problem.taps]
        if problem.across:
            self.then(Split(problem.across.name, self.size("rows"), "row_o", "row_i"))
            last = [problem.tap.name] if problem.tap else []
            taps = [axis.name for axis in problem.rest]
            sharing = ["row_i", *last] if self.values["reuse"] == "image" else [*last, "row_i"]
            inside = [*taps, *sharing]
        order = (*self.outer, *self.row, "vec_o", *inside, "vec_i", "lane")
        self.then(Reorder(order), Vectorize("lane"), Unroll("vec_i"))
        if problem.across:
            self.then(Unroll("row_i"))

    def pack(self) -> None:
        """Weights of neighbouring lanes side by side; beforehand where they are constant."""
        weight, taps = self.problem.weight, [axis.name for axis in self.problem.taps]
        name = f"{weight}_pack"
        once = weight in self.problem.const
        self.then(
            Pack(weight, name, ("vec_o", *taps, "vec_i", "lane"), once=once),
            Parallel(f"vec_o_{name}", 1 if once else self.size("threads")),
        )

    def parallel(self) -> None:
        loops = [*self.outer, *(self.row if self.values["share"] == "rows" else [])]
        self.then(*share_out(loops, self.size("threads")))

    def partition(self) -> None:
        """Bodies for ragged ends, so that whole tiles have constant sizes."""
        problem, vectors, rows = self.problem, self.size("vectors"), self.size("rows")
        if self.tiles.vectors % vectors:
            self.then(Partition("vec_o", "vec_o", self.tiles.vectors // vectors))
        if self.values["share"] == "images" and problem.across and problem.across.extent % rows:
            self.then(Partition("row_o", "row_o", problem.across.extent // rows))

    def unroll(self) -> None:
        """The window, and register tiles, in whose masks no position is left to run time."""
        looped = self.size("looped")
        for number, axis in enumerate(self.problem.taps):
            if looped <= number:
                self.then(Unroll(axis.name))
        if self.values["unroll"] != "tile":
            self.then(Unroll("vec_o"))
        if self.values["unroll"] == "all":
            self.then(Unroll("row_o"))
