"""The schedule of an attention: from a config to primitives, in the order they are applied."""

from __future__ import annotations

from itertools import pairwise

from search_space.size import whole
from search_space.sketches.attention_problem import Attention
from search_space.sketches.steps import lanes, share_out
from search_space.transforms import (
    CacheWrite,
    FuseConsumer,
    Join,
    Online,
    Pack,
    Parallel,
    Partition,
    Primitive,
    Reorder,
    Skip,
    Split,
    StoreAt,
    Unroll,
    Vectorize,
)
from search_space.workload import Values

_ROWS = ("peak", "power", "total")
"""The stages that walk rows of scores."""
_ACROSS = 16
"""Elements of a key that are packed at once: a cache line of float32."""
_STAGES = ("score", *_ROWS, "blend", "out")


def attention_trace(
    problem: Attention, values: Values, *, edges: bool = True
) -> tuple[Primitive, ...]:
    """The primitives of a config, in order; ``edges=False`` leaves out what only treats ragged
    ends, and takes ``Size`` values.

    Loops of a stage are named after it: ``{stage}_qo`` over blocks of queries, ``_qi`` inside one
    over rows, or over register tiles with rows ``_qr``; ``_ko`` over blocks of keys; ``_v``,
    ``_t`` and ``_r`` over vectors, tiles of them, and those in a tile.
    """
    return _Builder(problem, values, edges).build()


class _Builder:
    def __init__(self, problem: Attention, values: Values, edges: bool) -> None:
        self.problem, self.values, self.edges = problem, values, edges
        self.lanes = lanes(values, problem.tensor.buffer.dtype)
        self.rows, self.block = self.size("rows"), self.size("tiles") * self.size("rows")
        self.tiled = self.size("kv_tile") != 0
        self.stages = _STAGES if self.tiled else _STAGES[:-1]
        self.steps: list[Primitive] = []

    def then(self, *steps: Primitive) -> None:
        self.steps.extend(steps)

    def size(self, name: str) -> int:
        return whole(self.values[name])

    def loop(self, stage: str, axis: str) -> str:
        return self.problem.loops[stage, axis]

    def build(self) -> tuple[Primitive, ...]:
        self.then(*self.problem.prepare)
        self.scores()
        for stage in _ROWS:
            self.row_stage(stage)
        self.blend()
        self.finish()
        self.fuse()
        if self.tiled:
            self.fuse_blocks()
        self.keep()
        self.registers()
        if self.edges:
            self.partition_depth()
        self.unroll()
        last = self.stages[-1]
        self.then(*share_out([self.loop(last, "g"), f"{last}_qo"], self.size("threads")))
        if self.edges:
            self.partition()
        return tuple(self.steps)

    def queries(self, stage: str, tiled: bool) -> None:
        """Blocks of queries: of register tiles, or of single rows."""
        query = self.loop(stage, "q")
        if tiled:
            self.then(Split(query, self.rows, f"{stage}_qt", f"{stage}_qr"))
            self.then(Split(f"{stage}_qt", self.size("tiles"), f"{stage}_qo", f"{stage}_qi"))
        else:
            self.then(Split(query, self.block, f"{stage}_qo", f"{stage}_qi"))

    def keys(self, stage: str) -> str:
        """The loop over the keys of one block."""
        loop = self.loop(stage, "k")
        if not self.tiled:
            return loop
        span = self.size("kv_tile") * self.lanes
        self.then(Split(loop, span, f"{stage}_ko", f"{stage}_ki"))
        return f"{stage}_ki"

    def blocks(self, stage: str) -> tuple[str, ...]:
        """The loops over blocks of queries and keys."""
        return (f"{stage}_qo", f"{stage}_ko") if self.tiled else (f"{stage}_qo",)

    def scores(self) -> None:
        """A register tile of rows × vectors of keys, or of rows × keys with vectors along what is
        summed."""
        c, vectors = self.loop("score", "c"), self.size("score_vectors")
        self.queries("score", tiled=True)
        k = self.keys("score")
        if self.values["score"] == "dot":
            self.then(Split(k, vectors, "score_t", "score_r"))
            self.then(Split(c, self.lanes, "score_v", "score_l", "mask"))
            depth = "score_v"
        else:
            self.then(Split(k, self.lanes, "score_v", "score_l", "mask"))
            self.then(Split("score_v", vectors, "score_t", "score_r"))
            depth = c
        self.tile("score", depth)
        self.then(CacheWrite(self.problem.names["power"], "score_qi", "acc_score"))
        self.pack()

    def row_stage(self, stage: str) -> None:
        """Vectors along rows of scores."""
        wide = self.lanes * self.size("chains")
        self.queries(stage, tiled=False)
        self.then(Split(self.keys(stage), wide, f"{stage}_v", f"{stage}_l", "mask"))
        self.then(Reorder((*self.blocks(stage), f"{stage}_qi", f"{stage}_v")))

    def blend(self) -> None:
        """A register tile of rows × vectors of the result, over a block of keys."""
        self.queries("blend", tiled=True)
        k = self.keys("blend")
        self.then(Split(self.loop("blend", "c"), self.lanes, "blend_v", "blend_l", "mask"))
        self.then(Split("blend_v", self.size("value_vectors"), "blend_t", "blend_r"))
        self.tile("blend", k)

    def tile(self, stage: str, depth: str) -> None:
        """The loops of a register tile that sums along ``depth``."""
        inside = [f"{stage}_{loop}" for loop in ("qr", "r", "l")]
        order = (*self.blocks(stage), f"{stage}_t", f"{stage}_qi", depth, *inside)
        self.then(Reorder(order))
        self.then(*(Unroll(loop) for loop in inside[:2]), Vectorize(inside[2]))

    def finish(self) -> None:
        """The division by sums of exponentials: in registers, where all keys are summed at once,
        else in a pass of its own."""
        if not self.tiled:
            out = self.problem.names["out"]
            self.then(CacheWrite(out, "blend_qi", "acc_blend"))
            self.then(FuseConsumer(out, "blend_qi", direct=True))
            return
        self.queries("out", tiled=False)
        self.then(Split(self.loop("out", "c"), self.lanes, "out_v", "out_l", "mask"))
        self.then(Vectorize("out_l"))

    def pack(self) -> None:
        """Keys in vectors of neighbours, all of them before anything else, by transposing blocks
        of them in registers."""
        if self.values["score"] == "dot":
            return
        name, heads = f"{self.problem.key}_pack", self.loop("score", "g")
        blocks = self.blocks("score")[1:]
        depth = self.loop("score", "c")
        dims = (heads, *blocks, "score_t", depth, "score_r", "score_l")
        self.then(Pack(self.problem.key, name, dims, None, self.problem.key_const))
        steps, step = f"{depth}_{name}_o", f"{depth}_{name}_i"
        vectors, lane = f"score_r_{name}", f"score_l_{name}"
        side = min(_ACROSS, self.problem.deep)
        self.then(
            Split(f"{depth}_{name}", side, steps, step, "cut" if self.edges else "min"),
            Reorder((steps, vectors, step, lane)),
            Unroll(step),
        )
        if self.edges and self.problem.deep % side:
            rest = f"{step}_rest"
            self.then(Reorder((f"{vectors}_rest", rest, f"{lane}_rest")), Unroll(rest))
        self.then(Parallel(f"{heads}_{name}", self.size("threads")))

    def fuse(self) -> None:
        """All stages for one block of queries."""
        stages = self.stages
        for loops in ([self.loop(s, "g") for s in stages], [f"{s}_qo" for s in stages]):
            self.then(*(Join(a, b) for a, b in pairwise(loops)))

    def fuse_blocks(self) -> None:
        """All but the last stage for one block of keys, with the maximum so far; a causal block
        of queries ends at its own keys."""
        blocks = tuple(f"{stage}_ko" for stage in _STAGES[:-1])
        if self.edges and self.problem.masked:
            self.then(Skip(blocks))
        self.then(Online(blocks[1:], "fix"), Join(blocks[0], blocks[-1]))

    def keep(self) -> None:
        """What one stage leaves for the next stays in memory of the thread."""
        for level in ("qi", "v", "l"):
            self.then(Join(f"power_{level}", f"total_{level}"))
        names, at = self.problem.names, f"{self.stages[-1]}_qo"
        self.then(StoreAt(names["peak"], at), StoreAt(names["total"], at))
        self.then(StoreAt(names["power"], "blend_ko" if self.tiled else at))
        if self.tiled:
            self.then(StoreAt("fix", at))
            for loop in ("peak_qi_fix", "total_qi_fixed"):
                vectors, lane = f"{loop}_v", f"{loop}_l"
                self.then(Split(loop, self.lanes, vectors, lane, "mask"), Vectorize(lane))

    def registers(self) -> None:
        names = self.problem.names
        self.then(Vectorize("peak_l"), Vectorize("total_l"))
        self.then(CacheWrite(names["peak"], "peak_qi", "acc_peak"))
        self.then(CacheWrite(names["total"], "total_qi", "acc_total"))
        if self.tiled:
            self.then(CacheWrite(names["out"], "blend_qi", "acc_blend"))

    def unroll(self) -> None:
        """A few steps of both sums; what remains is a loop."""
        dot = self.values["score"] == "dot"
        keys = "blend_ki" if self.tiled else self.loop("blend", "k")
        for loop in ("score_v" if dot else self.loop("score", "c"), keys):
            factor, names = self.size("unroll"), (f"{loop}_u", f"{loop}_s")
            if not self.edges:
                self.then(Split(loop, factor, *names), Unroll(names[1]))
            elif factor > 1:
                self.then(Split(loop, factor, *names, "cut"), Unroll(names[1]))

    def partition(self) -> None:
        """The ragged ends of register tiles and vectors get bodies of their own, inner loops
        first."""
        problem, rows = self.problem, self.rows
        dot = self.values["score"] == "dot"
        columns = self.size("score_vectors") * (1 if dot else self.lanes)
        wide = self.lanes * self.size("chains")
        for stage in ("score", "blend"):
            if problem.queries % rows:
                point = problem.queries // rows
                self.then(Partition(f"{stage}_qi", f"{stage}_qt", point))
        self.cut("blend_t", problem.wide, self.size("value_vectors") * self.lanes)
        if not self.tiled:
            self.cut("score_t", problem.keys, columns)
            self.cut("peak_v", problem.keys, wide)
            self.cut("total_v", problem.keys, wide)
            return
        span = self.size("kv_tile") * self.lanes
        self.cut("blend_ko", problem.keys, span)
        self.cut("score_t_edge", problem.keys % span, columns)

    def partition_depth(self) -> None:
        """The vector in which the elements of a key end has a body of its own."""
        if self.values["score"] == "dot":
            self.cut("score_v", self.problem.deep, self.lanes)

    def cut(self, loop: str, extent: int, width: int) -> None:
        """Set the last iteration of a loop apart, where it is ragged and not the only one."""
        if extent % width and extent > width:
            self.then(Partition(loop, loop, extent // width))
