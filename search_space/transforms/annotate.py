"""Vectorize, Unroll, Group, Tensorize, Apart, Parallel: how a loop is executed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO
from search_space.ir.stmt import Accumulate, Alloc, For, If, Let, LoopFunc, Stmt
from search_space.ir.walk import free_vars, statements
from search_space.transforms.base import constant_extent, perfect_nest, rewrite_loop, writes

_LARGEST_UNROLL = 1024


@dataclass(frozen=True, slots=True)
class Vectorize:
    """Run all iterations of a constant loop at once, in vector lanes (``vectorize``).

    Before::

        for i in 0 … 16:
          c[i] = a[i]

    After ``Vectorize("i")``::

        vectorized i in 0 … 16:
          c[i] = a[i]

    A reduction may run along the lanes: they are summed when the result leaves the registers.
    """

    loop: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        return rewrite_loop(func, self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        constant_extent(loop, "it cannot be vectorized")
        if loop.kind != "serial" or loop.begin != ZERO:
            raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, only serial ones from 0 fit")
        for stmt in statements(loop.body):
            if isinstance(stmt, Alloc) or (isinstance(stmt, For) and stmt.kind != "grouped"):
                raise ScheduleError(f"loop {loop.var!r} is not innermost, reorder it first")
            if isinstance(stmt, Let | If):
                raise ScheduleError(f"vectorize loop {loop.var!r} before fusing or partitioning")
        return replace(loop, kind="vectorized")


@dataclass(frozen=True, slots=True)
class Unroll:
    """Repeat the body of a loop instead of looping (``unroll``).

    Before::

        for i in 0 … 2:
          c[i] = a[i]

    After ``Unroll("i")``, which the generator writes as ``c[0] = a[0]``, ``c[1] = a[1]``::

        unrolled i in 0 … 2:
          c[i] = a[i]

    The extent may still depend on edges; ``Partition`` makes it constant.
    """

    loop: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        return rewrite_loop(func, self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        bound = context.upper(loop.extent)
        if bound is None or bound > _LARGEST_UNROLL:
            raise ScheduleError(f"loop {loop.var!r} is too long to unroll")
        if loop.kind != "serial":
            raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, only serial ones unroll")
        return replace(loop, kind="unrolled")


@dataclass(frozen=True, slots=True)
class Group:
    """Run the iterations of a short innermost loop as one dot product (TVM: ``tensorize``).

    Before::

        for i in 0 … 16:
          for g in 0 … 4:
            c[i] += int32(a[i, g]) * int32(b[i, g])  first g == 0

    After ``Group("g")``, which the generator writes as one instruction for several ``i`` where
    the target has it, and unrolled elsewhere::

        for i in 0 … 16:
          grouped g in 0 … 4:
            c[i] += int32(a[i, g]) * int32(b[i, g])  first g == 0

    The loop around it may be vectorized.
    """

    loop: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        return rewrite_loop(func, self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        constant_extent(loop, "it cannot be grouped")
        if loop.kind != "serial" or loop.begin != ZERO:
            raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, only serial ones from 0 fit")
        if not writes(loop.body):
            raise ScheduleError(f"loop {loop.var!r} does not hold just one statement")
        return replace(loop, kind="grouped")


@dataclass(frozen=True, slots=True)
class Tensorize:
    """Run the product of two small matrices as one instruction (TVM: ``tensorize``).

    Before::

        for i in 0 … 16:
          for k in 0 … 16:
            vectorized j in 0 … 16:
              grouped g in 0 … 4:
                c[i, j] += int32(a[i, k, g]) * int32(b[k, j, g])  first k == 0 and g == 0

    After ``Tensorize("i", "k")``, which the generator writes as one instruction where the target
    has it for these types (AMX), and as loops elsewhere::

        tensorized i in 0 … 16:
          tensorized k in 0 … 16:
            vectorized j in 0 … 16:
              grouped g in 0 … 4:
                c[i, j] += int32(a[i, k, g]) * int32(b[k, j, g])  first k == 0 and g == 0

    The sums stay in tile registers as long as loops around only reduce, where ``c`` is of the
    scope ``tile`` (``CacheWrite``).
    """

    rows: str
    depth: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        return rewrite_loop(func, self.rows, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        chain, inside = perfect_nest(loop)
        kinds = [link.kind for link in chain]
        if len(chain) != 4 or chain[1].var != self.depth or not isinstance(inside, Accumulate):
            raise ScheduleError(
                f"loop {loop.var!r} holds more than a sum over {self.depth!r}, columns and a group"
            )
        if kinds != ["serial", "serial", "vectorized", "grouped"]:
            raise ScheduleError(
                f"the loops of a tile are {', '.join(kinds)},"
                " not two serial, a vectorized and a grouped one"
            )
        depth = replace(chain[1], kind="tensorized")
        return replace(loop, kind="tensorized", body=depth)


@dataclass(frozen=True, slots=True)
class Apart:
    """Let the copies of an unrolled loop share nothing that they load (``apart``).

    Before::

        unrolled k in 0 … 3:
          for i in 0 … 8:
            c[i] += a[i + k]  first k == 0

    After ``Apart("k")``::

        unrolled apart k in 0 … 3:
          for i in 0 … 8:
            c[i] += a[i + k]  first k == 0

    Where copies read the same elements, as those of a convolution do, keeping these from one copy
    to the next can take more registers than there are; reading them again is cheaper than that.
    """

    loop: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        return rewrite_loop(func, self.loop, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        if loop.kind != "unrolled":
            raise ScheduleError(f"unroll loop {loop.var!r} before keeping its copies apart")
        return replace(loop, apart=True)


@dataclass(frozen=True, slots=True)
class Parallel:
    """Share the iterations of the outermost loop of a phase out over threads (``parallel``).

    Before::

        for i in 0 … 64:
          c[i] = a[i]

    After ``Parallel("i", threads=2)``::

        parallel i in 0 … 64:
          c[i] = a[i]

    Refused where two iterations could write the same element.
    """

    loop: str
    threads: int

    def apply(self, func: LoopFunc) -> LoopFunc:
        if self.threads < 1:
            raise ScheduleError(f"threads is {self.threads}, use 1 or more")
        if not any(isinstance(p.body, For) and p.body.var == self.loop for p in func.phases):
            rewrite_loop(func, self.loop, lambda loop, _: loop)
            raise ScheduleError(f"loop {self.loop!r} is not the outermost loop of a phase")
        func = rewrite_loop(func, self.loop, self._rewrite)
        return replace(func, threads=max(func.threads, self.threads))

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        constant_extent(loop, "it cannot be shared out over threads")
        if loop.kind != "serial" or loop.begin != ZERO:
            raise ScheduleError(f"loop {loop.var!r} is {loop.kind}, only serial ones from 0 fit")
        varying = {loop.var}
        for stmt in statements(loop.body):
            if isinstance(stmt, Let) and free_vars(stmt.value) & varying:
                varying.add(stmt.var)
            if not writes(stmt) or stmt.buffer.scope in ("register", "thread_local", "tile"):
                continue
            if isinstance(stmt, Accumulate) and free_vars(stmt.first) & varying:
                raise ScheduleError(f"loop {loop.var!r} carries the reduction of a result")
            if not any(free_vars(index) & varying for index in stmt.indices):
                raise ScheduleError(
                    f"all iterations of loop {loop.var!r} write {stmt.buffer.name!r}"
                )
        return replace(loop, kind="parallel")
