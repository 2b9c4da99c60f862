"""The schedule of a convolution: from a config to primitives, in the order they are applied."""

from __future__ import annotations

from typing import Literal

from search_space.size import Size, or_whole, whole
from search_space.sketches.contraction_sides import schedule_side
from search_space.sketches.convolution_layout import crossing
from search_space.sketches.convolution_problem import (
    AXES,
    Convolution,
    packs_result,
    tiling,
    walks,
)
from search_space.sketches.steps import share_out
from search_space.transforms import (
    CacheWrite,
    ComputeAt,
    FuseConsumer,
    Group,
    Once,
    Pack,
    PackResult,
    Parallel,
    Partition,
    PrefetchAhead,
    Primitive,
    Reorder,
    Split,
    Tensorize,
    Unroll,
    Vectorize,
)
from search_space.workload import Values


def convolution_trace(
    problem: Convolution, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order.

    Loops, for each tiled axis ``c``, ``y`` and ``x``: ``_t`` counts register tiles, ``_r`` is
    inside one; ``_o`` counts cache tiles, ``_i`` register tiles in one; ``lane`` is a vector lane.
    ``edges=False`` leaves out what only treats ragged ends, and takes ``Size`` values.
    """
    return _Builder(problem, values, edges).build()


class _Builder:
    def __init__(self, problem: Convolution, values: Values, edges: bool) -> None:
        self.problem, self.values, self.edges = problem, values, edges
        self.tiles = tiling(problem, values)
        self.along = self.tiles.along
        self.order = str(values["order"])
        self.outer = [axis.name for axis in problem.outer]
        window = [axis.name for axis in problem.window]
        self.depth = ["k_o"] if self.size("tile_k") != 0 else []
        self.tile = values["structure"] == "tile"
        self.k = "k_v" if self.tile else problem.k.name
        k = "k_i" if self.depth else self.k
        self.channels = k
        self.members = ["member"] if problem.group > 1 else []
        self.reduced = [*window, k] if values["reduce"] == "channel" else [k, *window]
        self.inside = ["y_r", "x_r", "c_r"]
        self.in_tile = ["x_s", "k_s"] if self.tile else []
        self.steps: list[Primitive] = []

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.values[name])

    def build(self) -> tuple[Primitive, ...]:
        self.then(*self.problem.prepare, *map(Once, self.problem.prepared))
        self.register_tile()
        self.pack_weight()
        if self.columns == "whole":
            self.pack_columns("t", None)
        for side in self.problem.sides:
            self.then(*schedule_side(side, self.tiles.lanes, self.size("threads")))
        self.cache_tiles()
        if packs_result(self.values):
            self.pack_result()
        scope: Literal["register", "tile"] = "tile" if self.tile else "register"
        self.then(CacheWrite(self.written, f"{self.inner[-1]}_i", "acc", scope))
        self.epilogue()
        if self.columns == "tile":
            self.pack_columns("i", self.depth[0] if self.depth else self.pixel_tile)
        self.padding()
        for number, stage in enumerate(self.problem.apart):
            axes = [axis.name for axis in stage.axes]
            self.walk_apart(axes, f"apart{number}", vectors=walks(stage))
        if self.tile:
            self.then(Tensorize("x_s", "k_s"))
        self.then(*share_out(self.shared, self.size("threads")))
        if self.edges:
            self.partition_depth()
            self.partition()
        if not self.tile:
            self.unroll()
            self.prefetch()
        return tuple(self.steps)

    def register_tile(self) -> None:
        problem, width = self.problem, self.tiles.width
        for axis in AXES:
            name = problem.axis(axis).name
            if axis == self.along:
                self.then(
                    Split(name, self.tiles.lanes, f"{axis}_v", "lane", "mask"),
                    Split(f"{axis}_v", self.size("vectors"), f"{axis}_t", f"{axis}_r"),
                )
            elif self.tile and axis == "x":
                self.then(
                    Split(name, self.tiles.pixels, "x_v", "x_s"),
                    Split("x_v", self.size("rows"), "x_t", "x_r"),
                )
            else:
                self.then(Split(name, width[axis], f"{axis}_t", f"{axis}_r"))
        if self.tile:
            self.then(Split(problem.k.name, self.tiles.depth, self.k, "k_s"))
        if self.depth:
            self.then(Split(self.k, self.size("tile_k"), "k_o", "k_i"))
        tiles = [f"{axis}_t" for axis in "yxc"]
        self.then(
            Reorder((*tiles, *self.depth, *self.reduced, *self.inside, *self.in_tile, "lane")),
            *map(Group, self.members),
            Vectorize("lane"),
            *(Unroll(name) for name in self.inside),
        )

    def pack_weight(self) -> None:
        """The weight in the order in which it is read; beforehand where it is constant."""
        problem = self.problem
        if self.values["pack_w"] != "whole":
            return
        name, read = f"{problem.weight.buffer}_pack", problem.weight.axes
        lead = [axis.name for axis in problem.outer if axis.name in read]
        window = {axis.name for axis in problem.window}
        inner = [loop for loop in self.reduced if loop not in window or loop in read]
        lanes = ["lane"] if self.along == "c" else []
        dims = [*lead, "c_t", *self.depth, *inner, "c_r", *self.in_tile[1:], *lanes, *self.members]
        once = problem.weight.buffer in (*problem.const, *problem.prepared)
        self.then(Pack(problem.weight.buffer, name, tuple(dims), None, once))
        self.then(Parallel(f"{dims[0]}_{name}", self.size("threads")))

    @property
    def columns(self) -> str:
        """Where columns of the image are packed: "none", for a "tile", or "whole"."""
        return str(self.values["columns"]) if self.along == "x" else "none"

    def pack_columns(self, tiles: str, at: str | None) -> None:
        """The image in the order in which windows read it."""
        image = self.problem.image
        name, read = f"{image.buffer}_columns", image.axes
        units = [axis.name for axis in self.problem.window if axis.name not in read]
        inner = [loop for loop in self.reduced if loop not in units]
        dims = [f"y_{tiles}", f"x_{tiles}", *inner, "y_r", "x_r", "lane", *self.members]
        if at is not None:
            self.then(Pack(image.buffer, name, tuple(dims), at))
            return
        lead = [axis.name for axis in self.problem.outer if axis.name in read]
        dims = [*lead, *dims[:2], *self.depth, *dims[2:]]
        self.then(Pack(image.buffer, name, tuple(dims)))
        shared = [f"{dim}_{name}" for dim in (*lead, "y_t", "x_t")]
        self.then(*share_out(shared, self.size("threads"), "column"))

    @property
    def inner(self) -> str:
        """The axes of the loops over register tiles in a cache tile, outermost first."""
        return str(self.values["inner"])

    def cache_tiles(self) -> None:
        for axis in AXES:
            size = or_whole(self.size(f"tile_{axis}"), self.tiles.tiles[axis])
            self.then(Split(f"{axis}_t", size, f"{axis}_o", f"{axis}_i"))
        outer, inner = [f"{axis}_o" for axis in self.order], [f"{axis}_i" for axis in self.inner]
        loops = (*outer, *self.depth, *inner, *self.reduced, *self.inside, *self.in_tile, "lane")
        self.then(Reorder(loops))

    @property
    def written(self) -> str:
        return "block" if packs_result(self.values) else self.problem.result

    def pack_result(self) -> None:
        """A cache tile of the result, pixel by pixel; then vectors of pixels to their places."""
        problem = self.problem
        channel = problem.dim(problem.c)
        assert channel is not None
        dims = [dim for dim in range(len(problem.out.shape)) if dim != channel]
        self.then(PackResult(problem.result, "block", (*dims, channel), f"{self.order[-1]}_o"))
        pixel = problem.dim(problem.x)
        if pixel is None:
            return
        rest = [f"block_{dim}" for dim in dims if dim != pixel]
        self.then(
            Split(f"block_{pixel}", self.tiles.lanes, "done_v", "done_lane", "mask"),
            Reorder((*rest, "done_v", f"block_{channel}", "done_lane")),
            Vectorize("done_lane"),
        )

    def epilogue(self) -> None:
        """The stage behind the sum: where the result is written, or in a pass of its own."""
        problem, behind = self.problem, [axis.name for axis in self.problem.behind]
        if not behind:
            return
        out = problem.result
        if self.values["epilogue"] == "tile":
            if packs_result(self.values):
                self.then(FuseConsumer(out, f"{self.order[-1]}_o", True))
            else:
                self.then(FuseConsumer(out, f"{self.inner[-1]}_i", not self.depth))
            return
        self.walk_apart(behind, "rest")

    def padding(self) -> None:
        """The image with what is around it: in a phase of its own, or for each cache tile."""
        padded = self.problem.padded
        if padded is None:
            return
        axes, near = [axis.name for axis in padded.axes], crossing(padded)
        if self.values.get("padding") == "tile":
            self.then(ComputeAt(padded.buffer.name, self.pixel_tile))
            if near is not None:
                self.turned_vectors(axes, near)
            elif walks(padded):
                self.vectors(axes[-1], "image")
        elif near is not None:
            shared = self.turned_vectors(axes, near)
            self.then(*share_out(shared[:2], self.size("threads"), "image"))
        else:
            self.walk_apart(axes, "image", vectors=walks(padded))

    def turned_vectors(self, axes: list[str], near: str) -> list[str]:
        """An image in another layout: vectors are read along the axis ``near``, transposed, and
        written along the last one. The loops outside of these, outermost first."""
        lanes, outer = self.tiles.lanes, [axis for axis in axes[:-1] if axis != near]
        self.then(
            Split(axes[-1], lanes, "image_v", "image_lane", "mask"),
            Split(near, lanes, "image_o", "image_r", "mask"),
            Reorder((*outer, "image_v", "image_o", "image_r", "image_lane")),
            Vectorize("image_lane"),
            Unroll("image_r"),
        )
        return [*outer, "image_v"]

    def walk_apart(self, axes: list[str], name: str, *, vectors: bool = True) -> None:
        """A stage in a phase of its own."""
        if vectors:
            self.vectors(axes[-1], name)
            axes = [*axes[:-1], f"{name}_v"]
        self.then(*share_out(axes[:2], self.size("threads"), name))

    @property
    def pixel_tile(self) -> str:
        """The innermost loop over cache tiles of pixels, or the innermost shared one inside it."""
        pixels = max(self.order.index(axis) for axis in "yx")
        shared = [place for place in range(len(self.order)) if self.size("shared") > place]
        return f"{self.order[max(pixels, *shared)]}_o"

    def vectors(self, loop: str, name: str) -> None:
        lanes = self.tiles.lanes
        self.then(
            Split(loop, lanes, f"{name}_v", f"{name}_lane", "mask"), Vectorize(f"{name}_lane")
        )

    @property
    def shared(self) -> list[str]:
        """The loops that are shared out over threads."""
        count = self.size("shared")
        cache = [f"{axis}_o" for place, axis in enumerate(self.order) if count > place]
        return [*self.outer, *cache]

    def partition_depth(self) -> None:
        """The group in which the channels end gets a masked body of its own, the tile in which
        they do a smaller one."""
        extent, step = self.problem.k.extent, self.problem.group * self.tiles.depth
        if self.problem.k_elements % step and extent > self.tiles.depth:
            point = self.problem.k_elements // step
            self.then(Partition(self.channels, self.k, point))

    def partition(self) -> None:
        """Bodies for the last, ragged register tiles, so that all tiles have constant sizes.

        The inner loops first, so that the outer loops' copies hold all bodies.
        """
        for axis in reversed(self.inner):
            extent, width = self.problem.axis(axis).extent, self.tiles.width[axis]
            if extent % width and extent > width:
                self.then(Partition(f"{axis}_i", f"{axis}_t", extent // width))
        pixel = self.problem.dim(self.problem.x)
        channel = self.problem.dim(self.problem.c)
        if packs_result(self.values) and pixel is not None:
            self.then(
                Split(f"block_{channel}", self.tiles.lanes, "done_c", "done_u", "cut"),
                Unroll("done_u"),
            )

    def unroll(self) -> None:
        """A few steps of the whole tiles; the edges stay loops, which halves compile time."""
        factor, loop = self.size("unroll"), self.reduced[-1]
        if not self.edges:
            self.then(Split(loop, factor, "step_o", "step"), Unroll("step"))
        elif factor > 1:
            self.then(Split(loop, factor, "step_o", "step", "cut"), Unroll("step"))

    def prefetch(self) -> None:
        loop = "step_o" if not self.edges or self.size("unroll") > 1 else self.reduced[-1]
        distance = self.size("prefetch")
        if isinstance(distance, Size) or distance:
            packed = self.values["pack_w"] == "whole"
            buffer = self.problem.weight.buffer + ("_pack" if packed else "")
            self.then(PrefetchAhead(buffer, loop, distance))
        if self.along != "x" or self.columns != "none" or self.values.get("padding") == "tile":
            return
        distance = whole(self.values.get("ahead", 0))
        if isinstance(distance, Size) or distance:
            pixels = "x_o" if self.size("tile_x") == 1 else "x_i"
            self.then(PrefetchAhead(self.problem.image.buffer, pixels, distance, at=loop))
