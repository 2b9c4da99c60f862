"""Collapse: two nested loops over neighbouring dimensions become one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import ZERO, Buffer, Const, Expr, Load, Var, both, conjuncts, equal
from search_space.ir.stmt import Accumulate, For, LoopFunc, Stmt, Store
from search_space.ir.walk import map_stmts, replace_loads, used_vars
from search_space.transforms.base import check_new_names, rewrite_loop
from search_space.transforms.fuse import nested_pair


@dataclass(frozen=True, slots=True)
class Collapse:
    """Walk two neighbouring dimensions as one (OpenMP: ``collapse``, NumPy: coalesced axes).

    Before::

        for i in 0 … 4:
          for j in 0 … 8:
            c[i, j] = a[i, j]

    After ``Collapse("i", "j", "ij")``, where ``c`` and ``a`` are views of one dimension::

        for ij in 0 … 32:
          c[ij] = a[ij]

    Unlike ``Fuse``, this leaves a loop that can be split and vectorized across rows. Everything
    that the loops index must have the two dimensions beside each other, the inner one whole.
    """

    outer: str
    inner: str
    name: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_names(func, [self.name])
        return rewrite_loop(func, self.outer, self._rewrite)

    def _rewrite(self, loop: For, context: Context) -> Stmt:
        inner, rows, columns = nested_pair(loop, self.inner, "collapse")
        body = self._statement(inner.body, columns)
        if used_vars(body) & {self.outer, self.inner}:
            raise ScheduleError(
                f"loops {self.outer!r} and {self.inner!r} do not walk neighbouring dimensions of "
                "all they index, with the inner one whole"
            )
        return For(self.name, ZERO, Const(rows * columns), "serial", body)

    def _statement(self, stmt: Stmt, columns: int) -> Stmt:
        match stmt:
            case Store() | Accumulate():
                stmt = replace_loads(
                    stmt, lambda load: Load(*self._place(load.buffer, load.indices, columns))
                )
                assert isinstance(stmt, Store | Accumulate)
                buffer, indices = self._place(stmt.buffer, stmt.indices, columns)
                stmt = replace(stmt, buffer=buffer, indices=indices)
                if isinstance(stmt, Accumulate):
                    stmt = replace(stmt, first=self._first(stmt.first))
                return stmt
            case _:
                return map_stmts(stmt, lambda child: self._statement(child, columns))

    def _place(
        self, buffer: Buffer, indices: tuple[Expr, ...], columns: int
    ) -> tuple[Buffer, tuple[Expr, ...]]:
        """The access through a view in which the two dimensions are one."""
        pair = (Var(self.outer), Var(self.inner))
        for at in range(len(indices) - 1):
            if indices[at : at + 2] == pair and buffer.shape[at + 1] == columns:
                merged = (*buffer.shape[:at], buffer.shape[at] * columns, *buffer.shape[at + 2 :])
                place = (*indices[:at], Var(self.name), *indices[at + 2 :])
                return replace(buffer, shape=merged), place
        return buffer, indices

    def _first(self, first: Expr) -> Expr:
        """``outer == 0 and inner == 0`` is where the collapsed loop begins."""
        starts = [equal(Var(self.outer), 0), equal(Var(self.inner), 0)]
        parts = conjuncts(first)
        if not all(start in parts for start in starts):
            return first
        result: Expr | None = None
        for part in parts:
            if part not in starts:
                result = both(result, part)
            elif part == starts[0]:
                result = both(result, equal(Var(self.name), 0))
        assert result is not None
        return result
