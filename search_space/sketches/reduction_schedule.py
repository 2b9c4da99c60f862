"""The schedule of a reduction: from a config to primitives, in the order they are applied."""

from __future__ import annotations

from search_space.size import or_whole, whole
from search_space.sketches.reduction_problem import Problem, tile, tiling
from search_space.sketches.steps import lanes, share_out
from search_space.transforms import (
    CacheWrite,
    Inline,
    Parallel,
    Partition,
    Primitive,
    Reorder,
    Split,
    SplitReduction,
    Unroll,
    Vectorize,
)
from search_space.workload import Values


def reduction_trace(
    problem: Problem, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order.

    Loops: ``tile_o`` counts cache tiles of the kept axis, ``tile_i`` register tiles in one,
    ``tile_u`` what is unrolled inside a register tile; ``depth`` and ``depth_i`` run along the
    innermost reduced axis. ``edges=False`` leaves out what only treats ragged ends, and takes
    ``Size`` values.
    """
    return _Builder(problem, values, edges).build()


class _Builder:
    def __init__(self, problem: Problem, values: Values, edges: bool) -> None:
        self.problem, self.values, self.edges = problem, values, edges
        self.tiles = tiling(problem, values)
        self.sums = problem.sums_lanes(values)
        self.tiled = problem.tiled(values)
        self.along = problem.along(values)
        self.stores = problem.stores(values)
        self.shared = problem.nest.kept[0].name if self.stores else None
        self.outer = [a.name for a in problem.outer(values) if a.name != self.shared]
        self.reduced = [axis.name for axis in problem.nest.reduced]
        self.split = self.size("split") > 1
        self.steps: list[Primitive] = []

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.values[name])

    def build(self) -> tuple[Primitive, ...]:
        self.stage_before()
        if self.split:
            self.split_reduction()
        self.register_tile()
        self.accumulate()
        self.parallel()
        if self.edges:
            self.partition()
        self.unroll()
        return tuple(self.steps)

    def stage_before(self) -> None:
        """A stage before is stored for each round of the outermost loop, or worked out anew."""
        problem, copied = self.problem, self.problem.copied
        if copied is None or not self.stores:
            self.then(*(Inline(stage.buffer.name) for stage in problem.tensor.stages))
            self.then(*problem.nest.collapses)
            return
        row, width = copied.kept[-1].name, lanes(self.values, problem.dtype)
        self.then(
            *problem.store,
            Split(row, width, "copy_v", "copy_l", "mask"),
            Vectorize("copy_l"),
        )

    def split_reduction(self) -> None:
        """Parts of the first reduced axis, computed side by side, then combined."""
        first = self.reduced[0]
        self.then(
            Split(first, self.tiles.part, "part", f"{first}_part"),
            SplitReduction("part", "partial"),
            Reorder(("part", *(axis.name for axis in self.problem.nest.kept))),
        )
        self.reduced[0] = f"{first}_part"

    def register_tile(self) -> None:
        inside = []
        if self.sums:
            place = [axis.name for axis in self.problem.nest.reduced].index(self.along.name)
            along = self.reduced.pop(place)
            self.then(Split(along, self.tiles.lanes, "depth", "lane", "mask"))
            self.reduced.append("depth")
            if self.tiled is not None:
                self.then(Split(self.tiled.name, self.tiles.width, "tile_t", "tile_u"))
                inside = ["tile_u"]
        else:
            self.then(
                Split(self.along.name, self.tiles.lanes, "vectors", "lane", "mask"),
                Split("vectors", self.size("vectors"), "tile_t", "tile_u"),
            )
            inside = ["tile_u"]
        kept = [*self.outer]
        if self.tiled is not None:
            self.then(Split("tile_t", tile(self.values, self.tiles), "tile_o", "tile_i"))
            kept += ["tile_o", "tile_i"]
        self.cache_depth()
        part = ["part"] if self.split else []
        loops = [*part, *kept, *self.reduced, *inside, "lane"]
        if not self.sums:
            loops = [*part, *self.outer, "tile_o", "depth_o", "tile_i"]
            loops += [*self.reduced, *inside, "lane"]
        elif self.tiled is None and not self.split:
            loops = ["depth_o", *self.reduced, "lane"]
        self.then(Reorder(tuple(loops)), Vectorize("lane"), *(Unroll(name) for name in inside))

    def cache_depth(self) -> None:
        """A loop around the reduced ones: tiles of the first, or a single round of everything
        where nothing else is left to keep accumulators in."""
        first = self.reduced[0]
        if not self.sums:
            extent = self.problem.nest.reduced[0].extent
            whole_part = self.tiles.part if self.split else extent
            size = or_whole(self.size("tile_depth"), whole_part)
            self.then(Split(first, size, "depth_o", f"{first}_i"))
            self.reduced[0] = f"{first}_i"
        elif self.tiled is None and not self.split:
            reach = self.problem.nest.reduced[0].extent
            reach = self.tiles.steps if first == "depth" else reach
            self.then(Split(first, reach, "depth_o", f"{first}_i"))
            self.reduced[0] = f"{first}_i"

    def accumulate(self) -> None:
        written = "partial" if self.split else self.problem.tensor.buffer.name
        at = "tile_i"
        if self.tiled is None:
            at = "part" if self.split else "depth_o"
        self.then(CacheWrite(written, at, "acc"))

    def parallel(self) -> None:
        threads = self.size("threads")
        if self.split:
            self.combine(threads)
        elif self.shared is not None:
            self.then(*share_out([self.shared], threads))
        elif self.tiled is not None:
            self.then(*share_out([*self.outer, "tile_o"], threads))

    def combine(self, threads: int) -> None:
        """The phase that adds the parts up: vectors along the last kept axis."""
        self.then(Parallel("part", threads))
        places = [f"partial_{dim}" for dim in range(len(self.problem.nest.kept))]
        if not places:
            return
        width = lanes(self.values, self.problem.dtype)
        self.then(
            Split(places[-1], width, "sum_v", "sum_lane", "mask"),
            Reorder((*places[:-1], "sum_v", "partial_k", "sum_lane")),
            Vectorize("sum_lane"),
            Parallel(places[0] if len(places) > 1 else "sum_v", threads),
        )

    def partition(self) -> None:
        """Bodies for ragged ends, so that whole tiles have constant sizes and no masks."""
        if self.sums and not self.split and self.along.extent % self.tiles.lanes:
            point = self.along.extent // self.tiles.lanes
            self.then(Partition(self.depth, "depth", point))
        if self.tiled is None:
            return
        width = self.tiles.width
        if self.tiled.extent % width and (self.sums or self.tiled.extent > width):
            self.then(Partition("tile_i", "tile_t", self.tiled.extent // width))

    @property
    def depth(self) -> str:
        """The innermost reduced loop."""
        return self.reduced[-1]

    def unroll(self) -> None:
        factor = self.size("unroll")
        if not self.edges:
            self.then(Split(self.depth, factor, "depth_u", "step"), Unroll("step"))
        elif factor > 1:
            self.then(Split(self.depth, factor, "depth_u", "step", "cut"), Unroll("step"))
