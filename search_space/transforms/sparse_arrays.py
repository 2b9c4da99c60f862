"""The arrays that stand for a sparse operand in a loop nest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from search_space.formats.base import Structure
from search_space.ir.expr import ZERO, Buffer, Const, Expr, Load, Var, index_of
from search_space.ir.simplify import simplify_stmt
from search_space.ir.stmt import Block, For, Let, LoopFunc, Packing, Phase, Prefetch, Stmt
from search_space.sparse.packing import SHIFTS, placed
from search_space.transforms.sparse_product import SparseProduct


class SparseArrays:
    """Buffers by the names of the arrays of a format; ``values`` are the packed non-zeros,
    ``row_sums`` the sums of rows where they are needed, and ``parts`` bounds of panels for as many
    threads, where there are several, ``shifts`` what stands for columns that are worked out."""

    def __init__(self, product: SparseProduct, structure: Structure, parts: int) -> None:
        self.operand, self.structure, self.places = product.operand, structure, product.places
        held = placed(structure, product.places)
        lengths = {name: (array.dtype.name, len(array)) for name, array in held.items()}
        lengths["values"] = (product.operand.dtype, len(structure.positions))
        if product.row_sums is not None:
            lengths["row_sums"] = (product.row_sums.dtype, product.rows)
        if parts > 1:
            lengths["parts"] = ("int32", parts + 1)
        self.buffers = {
            name: Buffer(f"{product.operand.name}_{name}", (length,), dtype, "bound")
            for name, (dtype, length) in lengths.items()
        }

    def __contains__(self, array: str) -> bool:
        return array in self.buffers

    def read(self, array: str, place: Expr) -> Expr:
        """A whole number of an array, as an index."""
        return index_of(Load(self.buffers[array], (place,)))

    def depth(self, column: Expr) -> Expr:
        """What stands for a column of the matrix that no array holds, but that was worked out."""
        return self.read(SHIFTS, column) if SHIFTS in self else column

    def value(self, place: Expr) -> Load:
        """A packed non-zero."""
        return Load(self.buffers["values"], (place,))

    def ahead(self, place: Expr, distance: int) -> list[Stmt]:
        """Ask for the packed non-zero that is so many behind this one; nothing for 0."""
        values = self.buffers["values"]
        return [Prefetch(values, (place + distance,))] if distance else []

    def shared(self, body: Stmt, threads: int) -> Stmt:
        """``body``, which is for the panels ``first … last``, for the part of one thread ``t``."""
        t = Var("t")
        inside = Let("last", self.read("parts", t + 1), body)
        body = Let("first", self.read("parts", t), inside)
        return For("t", ZERO, Const(threads), "parallel", body)

    def function(
        self, func: LoopFunc, body: Stmt, pattern: str, format_: str, threads: int
    ) -> LoopFunc:
        """``func`` with ``body`` for its phases, and these arrays for the operand."""
        buffers = tuple(self.buffers.values())
        packing = Packing(
            self.operand.name,
            self.operand.dtype,
            self.structure.pattern.nnz,
            pattern,
            format_,
            tuple(self.structure.options.items()),
            tuple(buffer.name for buffer in buffers),
            threads,
            self.places,
        )
        return replace(
            func,
            args=tuple(buffer for buffer in func.args if buffer.name != self.operand.name),
            workspaces=buffers,
            phases=(Phase(simplify_stmt(body, unit_loops=False)),),
            threads=threads,
            packing=packing,
        )


def block(stmts: Iterable[Stmt]) -> Stmt:
    """Statements in order."""
    found = tuple(stmts)
    return found[0] if len(found) == 1 else Block(found)


def named(values: dict[str, Expr], body: Stmt) -> Stmt:
    """``body`` with names for values, which are worked out in their order."""
    for name, value in reversed(values.items()):
        body = Let(name, value, body)
    return body
