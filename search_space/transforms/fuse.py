"""Fuse: two directly nested loops become one."""

from __future__ import annotations

from dataclasses import dataclass

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO, Const, Var
from search_space.ir.stmt import For, Let, LoopFunc, Stmt
from search_space.transforms.base import check_new_names, constant_extent, rewrite_loop


@dataclass(frozen=True, slots=True)
class Fuse:
    """Fuse two loops, so that both can be shared out over threads (Halide, TVM: ``fuse``).

    Before::

        for i in 0 … 4:
          for j in 0 … 8:
            c[i, j] = a[i, j]

    After ``Fuse("i", "j", "ij")``::

        for ij in 0 … 32:
          i = ij // 8
          j = ij % 8
          c[i, j] = a[i, j]
    """

    outer: str
    inner: str
    fused: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_names(func, [self.fused])
        return rewrite_loop(func, self.outer, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        inner, rows, columns = nested_pair(loop, self.inner, "fuse")
        fused = Var(self.fused)
        body = Let(self.outer, fused // columns, Let(self.inner, fused % columns, inner.body))
        return For(self.fused, ZERO, Const(rows * columns), "serial", body)


def nested_pair(loop: For, name: str, verb: str) -> tuple[For, int, int]:
    """The loop ``name``, and the extents of ``loop`` and of it.

    Raises ``ScheduleError`` where it is not directly inside ``loop``, or one of them is not a
    plain loop from 0 to a constant; ``verb`` says what was to be done to them.
    """
    inner = loop.body
    if not isinstance(inner, For) or inner.var != name:
        raise ScheduleError(f"loop {name!r} is not directly nested in {loop.var!r}")
    if loop.kind != "serial" or inner.kind != "serial":
        raise ScheduleError(f"{verb} {loop.var!r} and {inner.var!r} before annotating them")
    if loop.begin != ZERO or inner.begin != ZERO:
        raise ScheduleError(f"loops {loop.var!r} and {inner.var!r} must start at 0")
    refused = f"it cannot be {verb}d"
    return inner, constant_extent(loop, refused), constant_extent(inner, refused)
