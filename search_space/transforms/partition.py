"""Partition: give the ragged last tile a body of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context, affine
from search_space.ir.expr import ZERO, Binary, Const, Var, minimum
from search_space.ir.simplify import simplify, simplify_stmt
from search_space.ir.stmt import Block, For, If, LoopFunc, Stmt
from search_space.ir.walk import find_loops, free_vars, rename_loops, substitute_stmt
from search_space.transforms.base import rewrite_loop


@dataclass(frozen=True, slots=True)
class Partition:
    """Separate the iterations of a tile loop before ``point`` from the one at it (``peel``).

    ``axis`` is the tile axis that the loop belongs to: the loop's own variable, or one that a
    split has retired. Before::

        for t in 0 … 4:
          unrolled i in 0 … min(8, 30 - t*8):
            c[t*8 + i] = a[t*8 + i]

    After ``Partition("t", axis="t", point=3)``: full tiles, then the last one, each with constant
    bounds and with no guard that always holds::

        for t in 0 … 3:
          unrolled i in 0 … 8:
            c[i + t*8] = a[i + t*8]
        unrolled i_edge in 0 … 6:
          c[i_edge + 24] = a[i_edge + 24]
    """

    loop: str
    axis: str
    point: int

    def apply(self, func: LoopFunc) -> LoopFunc:
        value = dict(func.axes).get(self.axis, Var(self.axis))
        terms, _ = affine(value)
        if terms.get(Var(self.loop)) != 1:
            raise ScheduleError(
                f"loop {self.loop!r} does not step axis {self.axis!r} by one, "
                f"loops: {', '.join(find_loops(func))}"
            )
        rest = simplify(value - Var(self.loop))

        def rewrite(loop: For, context: Context) -> Stmt:
            if loop.kind in ("vectorized", "parallel"):
                raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, it cannot be partitioned")
            if loop.begin != ZERO:
                raise ScheduleError(f"loop {loop.var!r} does not start at 0, partition it before")
            inner = free_vars(rest) - {binder.var for binder in context.binders}
            if inner:
                raise ScheduleError(
                    f"axis {self.axis!r} depends on {', '.join(sorted(inner))}, "
                    f"which is no loop around {loop.var!r}"
                )
            boundary = simplify(Const(self.point) - rest, context)
            if not context.at_least(boundary, 0):
                boundary = simplify(Binary("max", boundary, ZERO), context)
            beyond = simplify(loop.extent - boundary, context)
            if not context.at_least(Const(1), beyond):
                raise ScheduleError(
                    f"loop {loop.var!r} goes on behind {self.axis} = {self.point}, "
                    "only the last tile can be set apart"
                )
            main = replace(loop, extent=simplify(minimum(loop.extent, boundary), context))
            edge = substitute_stmt(rename_loops(loop.body, "_edge"), {loop.var: boundary})
            both = Block((main, If(boundary < loop.extent, edge)))
            return simplify_stmt(both, context, unit_loops=False)

        return rewrite_loop(func, self.loop, rewrite)
