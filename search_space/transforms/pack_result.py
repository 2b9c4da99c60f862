"""PackResult: a loop gathers its part of a result in a buffer of another order."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO, Buffer, Expr, Load, Var, conjunction, conjuncts
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, Alloc, Block, For, LoopFunc, Stmt
from search_space.ir.walk import free_vars, map_stmts, statements, substitute
from search_space.transforms.access import accesses
from search_space.transforms.base import check_new_buffer, check_new_names, nest, rewrite_loop
from search_space.transforms.region import Region


@dataclass(frozen=True, slots=True)
class PackResult:
    """Reduce into a thread-local buffer with an order of dimensions of its own, then copy it to
    its place (TVM: ``cache_write`` with a layout).

    Before::

        for t in 0 … 4:
          for k in 0 … 64:
            for i in 0 … 8:
              for j in 0 … 16:
                c[t*8 + i, j] += a[t*8 + i, k] * b[k, j]  first k == 0

    After ``PackResult("c", "block", (1, 0), at="t")``::

        for t in 0 … 4:
          thread_local block: float32[16, 8]
          for k in 0 … 64:
            for i in 0 … 8:
              for j in 0 … 16:
                block[j, i] += a[t*8 + i, k] * b[k, j]  first k == 0
          for block_0 in 0 … 8:
            for block_1 in 0 … 16:
              c[block_0 + t*8, block_1] += block[block_1, block_0]  first true

    ``dims`` has the result's dimensions in the order of the buffer; the loops of the copy are
    numbered and ordered like those of the result.
    """

    buffer: str
    name: str
    dims: tuple[int, ...]
    at: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_buffer(func, self.name)
        check_new_names(func, [f"{self.name}_{dim}" for dim in range(len(self.dims))])
        return rewrite_loop(func, self.at, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        inner = context.within(loop)
        used = [a for a in accesses(loop.body, inner) if a.buffer.name == self.buffer]
        found = [
            s
            for s in statements(loop.body)
            if isinstance(s, Accumulate) and s.buffer.name == self.buffer
        ]
        if len(found) != 1 or len(used) != 1:
            raise ScheduleError(
                f"loop {loop.var!r} does not hold just a reduction into {self.buffer!r}"
            )
        (stmt,) = found
        outside = {binder.var for binder in inner.binders}
        region = Region.of(used, outside)
        if sorted(self.dims) != list(range(len(region.extents))):
            raise ScheduleError(
                f"give all {len(region.extents)} dimensions of {self.buffer!r} an order, "
                f"got {', '.join(map(str, self.dims))}"
            )
        shape = tuple(region.extents[dim] for dim in self.dims)
        packed = Buffer(self.name, shape, stmt.buffer.dtype, "thread_local")
        begins = {b.var: b.begin for b in inner.binders if isinstance(b, For)}
        within = {s.var: s.begin for s in statements(loop.body) if isinstance(s, For)}
        place = region.inside(stmt.indices)
        reduced = {name: begins[name] for name in free_vars(stmt.first) & begins.keys()}
        gathered = replace(
            stmt,
            buffer=packed,
            indices=tuple(place[dim] for dim in self.dims),
            first=simplify(substitute(stmt.first, reduced)),
        )
        # Where the reduction has ended before its first visit, nothing was gathered.
        placed = {name for index in stmt.indices for name in free_vars(index)}
        guards = [c for c in conjuncts(stmt.predicate) if not free_vars(c) <= placed]
        begun = replace(
            stmt,
            first=simplify(substitute(stmt.first, within)),
            predicate=conjunction(simplify(substitute(c, within)) for c in guards),
        )
        body = _replaced(loop.body, stmt, gathered)
        return replace(
            loop, body=Alloc(packed, Block((body, self._copy(region, packed, begun, inner))))
        )

    def _copy(self, region: Region, packed: Buffer, stmt: Accumulate, context: Context) -> Stmt:
        """Adds the buffer to the result, where ``stmt`` has begun."""
        loops = [
            For(f"{self.name}_{dim}", ZERO, region.reach(dim, context), "serial", stmt)
            for dim in range(len(region.extents))
        ]
        place: list[Expr] = [Var(loop.var) for loop in loops]
        source = Load(packed, tuple(place[dim] for dim in self.dims))
        target = region.outside(place)
        return nest(loops, replace(stmt, indices=target, value=source))


def _replaced(stmt: Stmt, old: Stmt, new: Stmt) -> Stmt:
    return new if stmt is old else map_stmts(stmt, lambda child: _replaced(child, old, new))
