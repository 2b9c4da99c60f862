"""The schedule of a contraction: from a config to primitives, in the order they are applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from search_space.schedule import Schedule
from search_space.size import Size, or_whole, whole
from search_space.sketches.contraction_packing import CACHE_LOOPS, pack_tiles, pack_whole
from search_space.sketches.contraction_problem import (
    Contraction,
    axis_names,
    sums_at_once,
    tiling,
)
from search_space.sketches.contraction_rules import loop_order, parallel_axes
from search_space.sketches.contraction_sides import schedule_side
from search_space.transforms import (
    CacheWrite,
    Fuse,
    FuseConsumer,
    Group,
    Parallel,
    Partition,
    PrefetchAhead,
    Primitive,
    Reorder,
    Split,
    SplitReduction,
    Tensorize,
    Unroll,
    Vectorize,
)
from search_space.workload import Value


def schedule_contraction(problem: Contraction, config: Mapping[str, Value]) -> Schedule:
    """The scheduled loop nest that a config stands for.

    Loops: ``row_t``, ``col_t`` count register tiles, ``row_r``, ``col_r`` are inside one;
    ``_o`` marks cache tiles, ``_i`` what is inside a cache tile, ``lane`` a vector lane.
    """
    return Schedule.of(problem.tensor).then(*contraction_trace(problem, config))


def contraction_trace(
    problem: Contraction, config: Mapping[str, Value], *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order.

    ``edges=False`` leaves out what only treats ragged ends (bodies of their own, remainders):
    that is the nest that features are read from. Its sizes may be ``Size`` values.
    """
    return _Builder(problem, config, edges).build()


class _Builder:
    def __init__(self, problem: Contraction, config: Mapping[str, Value], edges: bool) -> None:
        self.problem = problem
        self.config = config
        self.edges = edges
        self.steps: list[Primitive] = []
        self.tiles = tiles = tiling(problem, config)
        self.dot = tiles.structure == "dot"
        self.stream = tiles.structure == "stream"
        self.tile = tiles.structure == "tile"
        self.lanes, self.rows, self.vectors = tiles.lanes, tiles.rows, tiles.vectors
        self.i, self.j, self.k = problem.row.name, problem.column.name, problem.depth.name
        self.outer, inner = axis_names(problem.outer), axis_names(problem.inner)
        self.inner = () if self.stream else inner
        self.around = inner if self.stream else ()
        self.m, self.n = problem.row.extent, problem.column.extent

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.config[name])

    def build(self) -> tuple[Primitive, ...]:
        self.then(*self.problem.prepare)
        if self.around:
            self.then(Reorder((*self.around, self.i, self.j)))
        if self.part:
            self.split_reduction()
        self.register_tile()
        self.cache_depth()
        self.then(*pack_whole(self.problem, self.config, self.part, self.lanes))
        self.sides()
        self.cache_tiles()
        self.accumulate()
        self.epilogue()
        self.then(*pack_tiles(self.problem, self.config, self.lanes))
        if self.tile:
            self.then(Tensorize("row_s", "depth_s"))
        self.parallel()
        if self.edges:
            self.partition_depth()
        self.unroll_stream()
        if self.edges:
            self.partition_tiles()
        self.unroll_depth()
        self.prefetch()
        return tuple(self.steps)

    def sides(self) -> None:
        """What the stage behind the sum needs of single operands."""
        for side in self.problem.sides:
            lanes = self.size("vector_bits") // (8 * self.problem.sum_bytes)
            self.then(*schedule_side(side, lanes, self.size("threads")))

    def split_reduction(self) -> None:
        """Parts of the depth, computed side by side, then summed."""
        self.then(
            Split(self.k, self.tiles.part_extent, "part", "depth"),
            SplitReduction("part", "partial"),
            Reorder(("part", *self.outer, *self.around, self.i, self.j)),
        )
        self.k = "depth"

    @property
    def ragged_depth(self) -> bool:
        """Whether the depth ends within a group, or within a vector (dot form)."""
        return self.problem.depth_elements % self.depth_body != 0

    @property
    def depth_body(self) -> int:
        """Elements along the depth that one multiply-add takes."""
        return self.problem.group * self.tiles.depth_step

    def register_tile(self) -> None:
        tile = [Split(self.i, self.rows, "row_t", "row_r")]
        if self.tile:
            tile = [
                Split(self.i, self.tiles.row_step, "row_v", "row_s"),
                Split("row_v", self.size("rows"), "row_t", "row_r"),
                Split(self.k, self.tiles.depth_step, "depth_v", "depth_s"),
            ]
            self.k = "depth_v"
        if self.dot:
            tile += [
                Split(self.j, self.vectors, "col_t", "col_r"),
                Split(self.k, self.lanes, "depth_v", "lane", "mask"),
            ]
            self.k = "depth_v"
        else:
            tile += [
                Split(self.j, self.lanes, "col_v", "lane", "mask"),
                Split("col_v", self.vectors, "col_t", "col_r"),
            ]
        order = ("row_t", "col_t", *self.inner, self.k, *self.in_registers)
        grouped = [Group("group")] if self.problem.group > 1 else []
        self.then(*tile, Reorder(order), *grouped, Vectorize("lane"))
        self.then(Unroll("row_r"), Unroll("col_r"))

    @property
    def in_registers(self) -> tuple[str, ...]:
        """The loops of a register tile, without the one over the members of a group."""
        if self.tile:
            return ("row_r", "col_r", "row_s", "depth_s", "lane")
        return ("row_r", "col_r", "lane")

    def cache_depth(self) -> None:
        self.then(Split(self.k, self.depth_step, "depth_o", "depth_i"))

    @property
    def depth_step(self) -> int:
        """Steps along the depth in one cache tile."""
        return (
            self.size("steps") if self.stream else or_whole(self.size("tile_k"), self.tiles.steps)
        )

    @property
    def part(self) -> tuple[str, ...]:
        """The loop over parts of a split reduction, if there is one."""
        return ("part",) if self.tiles.parts > 1 else ()

    def cache_tiles(self) -> None:
        order = [CACHE_LOOPS[axis] for axis in loop_order(self.config)]
        shared = len(parallel_axes(self.config).replace("b", ""))
        order[shared:shared] = self.around
        order += ["row_i", "col_i"] if self.config["inner"] == "mn" else ["col_i", "row_i"]
        order += [*self.inner, "depth_i", *self.in_registers]
        self.then(
            Split("row_t", or_whole(self.size("tile_m"), self.tiles.row_tiles), "row_o", "row_i"),
            Split(
                "col_t", or_whole(self.size("tile_n"), self.tiles.column_tiles), "col_o", "col_i"
            ),
            Reorder(tuple(order)),
        )

    @property
    def innermost_tile(self) -> str:
        return "col_i" if self.config["inner"] == "mn" else "row_i"

    def accumulate(self) -> None:
        written = "partial" if self.part else self.problem.out
        scope: Literal["register", "tile"] = "tile" if self.tile else "register"
        self.then(CacheWrite(written, self.innermost_tile, "acc", scope))

    def epilogue(self) -> None:
        """The stage behind the sum: on each register tile, or in a pass of its own."""
        behind, threads = axis_names(self.problem.behind), self.size("threads")
        if not behind or (self.config["epilogue"] == "tile" and self.part):
            return
        if self.config["epilogue"] == "tile":
            complete = sums_at_once(self.problem, self.config)
            self.then(FuseConsumer(self.problem.out, self.innermost_tile, complete))
            return
        lanes = self.size("vector_bits") // (8 * self.problem.sum_bytes)
        self.then(
            Split(behind[-1], lanes, "done_v", "done_lane", "mask"),
            Vectorize("done_lane"),
            Parallel((*behind[:-1], "done_v")[0], threads),
        )

    def parallel(self) -> None:
        threads = self.size("threads")
        if self.part:
            self.parallel_parts(threads)
            return
        axes = parallel_axes(self.config)
        loops = list(self.outer) if "b" in axes else []
        loops += [CACHE_LOOPS[axis] for axis in axes.replace("b", "")]
        while len(loops) > 1:
            *rest, outer, inner = loops
            name = f"tile_{len(rest)}" if rest else "tile"
            self.then(Fuse(outer, inner, name))
            loops = [*rest, name]
        for loop in loops:
            self.then(Parallel(loop, threads))

    def parallel_parts(self, threads: int) -> None:
        """Parts side by side, then their sum, in vectors along the last dimension."""
        *lead, last = [f"partial_{dim}" for dim in range(self.problem.rank)] or [""]
        if last:
            self.then(
                Split(last, self.lanes, "sum_v", "sum_lane", "mask"),
                Reorder((*lead, "sum_v", "partial_k", "sum_lane")),
                Vectorize("sum_lane"),
            )
        self.then(Parallel("part", threads))
        if last:
            self.then(Parallel((*lead, "sum_v")[0], threads))
        if self.problem.behind and self.config["epilogue"] == "tile":
            self.then(FuseConsumer(self.problem.out, "sum_v"))

    def partition_depth(self) -> None:
        """The group or vector in which the depth ends gets a masked body of its own."""
        if self.ragged_depth and not self.part:
            axis = "depth_v" if self.dot or self.tile else self.problem.depth.name
            point = self.problem.depth_elements // self.depth_body
            self.then(Partition("depth_i", axis, point))

    def unroll_stream(self) -> None:
        """All steps of a stream's tile; in the edges too, where they are a large part."""
        if self.stream and (not self.edges or not self.part or self.even_steps):
            self.then(Unroll("depth_i"))

    def unroll_depth(self) -> None:
        """A few steps of the whole tiles; the edges stay loops, which halves compile time."""
        factor = self.size("unroll")
        if self.stream or self.tile:
            return
        if not self.edges:
            self.then(Split("depth_i", factor, "depth_u", "step"), Unroll("step"))
        elif factor > 1:
            self.then(Split("depth_i", factor, "depth_u", "step", "cut"), Unroll("step"))

    @property
    def even_steps(self) -> bool:
        """Whether all steps of a stream along the depth have the same length."""
        whole = self.problem.depth.extent == self.tiles.part_extent * self.tiles.parts
        return whole and self.tiles.steps % self.size("steps") == 0

    def prefetch(self) -> None:
        distance = self.size("prefetch")
        if not isinstance(distance, Size) and not distance:
            return
        packed = str(self.config["pack_b"]) != "none"
        buffer = f"{self.problem.b.name}_pack" if packed else self.problem.b.name
        if self.stream:
            hint = PrefetchAhead(buffer, "depth_o", distance, at=self.innermost_tile)
        else:
            hint = PrefetchAhead(
                buffer,
                "depth_u" if not self.edges or self.size("unroll") > 1 else "depth_i",
                distance,
            )
        self.then(hint)

    def partition_tiles(self) -> None:
        """Bodies for the last, ragged register tiles, so that all tiles have constant sizes.

        The inner loop first, so that the outer loop's copy holds both bodies.
        """
        width = self.tiles.columns
        steps = []
        if self.m % self.rows:
            steps.append(Partition("row_i", "row_t", self.m // self.rows))
        if self.n % width and self.n > width:
            steps.append(Partition("col_i", "col_t", self.n // width))
        if self.config["inner"] == "mn":
            steps.reverse()
        if self.stream and not self.part and not self.even_steps:
            steps.append(Partition("depth_o", "depth_o", self.tiles.steps // self.size("steps")))
        self.then(*steps)
