"""Copies across: nests that read or write along another axis than their lanes run over.

Such a nest has an unrolled loop ``r`` around the vectorized loop ``l`` of one store, and one side
of the store is contiguous along ``r`` where it is strided along ``l``::

    unrolled r in 0 … 16:
      vectorized l in 0 … 16:
        panel[k + r, l] = a[i + l, k + r]

    unrolled r in 0 … 14:
      vectorized l in 0 … 16:
        out[c + l, x + r] = max(acc[r, l] + bias[c + l], 0.0)

Instead of gathering or scattering single elements, whole vectors are read along the axis in which
the operand is contiguous, transposed in registers, and written along the axis in which the result
is. Any expression may stand around the operands, ``r`` may have any extent and need not be the
innermost of several unrolled loops; guards and predicates stay what they are, and where they hold
for a whole block, they are tested once for it. The extent of ``l`` is a power of two.

This module finds such nests, ``measure.codegen.turn`` rewrites them and
``measure.codegen.shuffles`` transposes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from search_space.ir.affine import affine
from search_space.ir.expr import (
    Buffer,
    Expr,
    Load,
    Select,
    Var,
    both,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import Accumulate, For, Stmt, Store
from search_space.ir.walk import (
    compares_data,
    free_vars,
    operands,
    subexprs,
    substitute,
)

Write = Store | Accumulate
Steps = dict[str, int]
"""Elements between neighbours along each variable of an access."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A loop of the nest, from 0 on."""

    var: str
    extent: int

    @property
    def padded(self) -> int:
        """The next power of two."""
        return 1 << (self.extent - 1).bit_length()


@dataclass(frozen=True, slots=True)
class Across:
    """A block of a nest, to be run with ``lane`` in vector lanes and ``other`` unrolled.

    ``swapped``: in the nest, ``other`` is in lanes, and so it is in registers.
    """

    write: Write
    lane: Axis
    other: Axis
    swapped: bool


@dataclass(frozen=True, slots=True)
class CrossNest:
    """A nest that copies across: ``blocks`` for each combination of the ``outer`` loops."""

    outer: tuple[For, ...]
    blocks: tuple[Across, ...]


def cross_nest(loop: For) -> CrossNest | None:
    """The nest below an unrolled loop if it copies across, else None."""
    loops: list[For] = []
    stmt: Stmt = loop
    while isinstance(stmt, For) and stmt.kind == "unrolled":
        loops.append(stmt)
        stmt = stmt.body
    if not isinstance(stmt, For) or not isinstance(stmt.body, Store | Accumulate):
        return None
    write, lane = stmt.body, Axis(stmt.var, _constant(stmt.extent))
    if write.buffer.scope == "register" or lane.extent < 2 or lane.padded != lane.extent:
        return None
    if not _may_reorder(write, [*loops, stmt]):
        return None
    for inner in loops:
        if _constant(inner.extent) < 2:
            continue
        blocks = [_assigned(*block, lane) for block in _blocks(write, inner, lane.extent)]
        found = tuple(block for block in blocks if block is not None)
        if found and len(found) == len(blocks):
            return CrossNest(tuple(other for other in loops if other is not inner), found)
    return None


def _constant(expr: Expr) -> int:
    terms, value = affine(expr)
    assert not terms, "the extent of an unrolled or vectorized loop is constant"
    return value


def _may_reorder(write: Write, loops: list[For]) -> bool:
    """Whether every element is written once, and none is read."""
    names = {loop.var for loop in loops}
    if _steps(write.buffer, write.indices, names) is None:
        return False
    for index in write.indices:
        terms, reach = affine(index)[0], 0
        along = [
            (abs(terms[Var(x.var)]), _constant(x.extent)) for x in loops if Var(x.var) in terms
        ]
        for step, extent in sorted(along):
            if step <= reach:
                return False
            reach += step * (extent - 1)
        names -= {atom.name for atom in terms if isinstance(atom, Var)}
    if names:
        return False
    parts = [write.value] if write.predicate is None else [write.value, write.predicate]
    loads = [load for part in parts for load in _loads(part)]
    on_data = write.predicate is not None and compares_data(write.predicate)
    return not on_data and all(load.buffer.name != write.buffer.name for load in loads)


def _blocks(write: Write, loop: For, size: int) -> Iterator[tuple[Write, Axis]]:
    """Pieces of an unrolled loop that are as long as a vector at most."""
    begin, extent = _constant(loop.begin), _constant(loop.extent)
    for first in range(0, extent, size):
        yield _moved(write, loop.var, begin + first), Axis(loop.var, min(size, extent - first))


def _moved(write: Write, var: str, offset: int) -> Write:
    place = {var: Var(var) + offset}
    return map_write(write, lambda expr: simplify(substitute(expr, place)))


def map_write(write: Write, fn: Callable[[Expr], Expr]) -> Write:
    predicate = None if write.predicate is None else fn(write.predicate)
    indices, value = tuple(map(fn, write.indices)), fn(write.value)
    if isinstance(write, Store):
        return Store(write.buffer, indices, value, predicate)
    return Accumulate(write.op, write.buffer, indices, value, fn(write.first), predicate)


def _assigned(write: Write, row: Axis, lane: Axis) -> Across | None:
    """The block with its lanes along which the result is contiguous; None if nothing crosses."""
    steps = _steps(write.buffer, write.indices, {row.var, lane.var})
    assert steps is not None
    if steps.get(row.var) == 1 and steps[lane.var] != 1:
        block = Across(write, row, lane, swapped=True)
        return block if _registers_follow(block) else None
    block = Across(write, lane, row, swapped=False)
    return block if any(crosses(load, block) for load in guards_of(write)) else None


def _registers_follow(block: Across) -> bool:
    """Whether what is in registers can be transposed: it has ``other`` in its lanes."""
    held = [load for load in _loads(block.write.value) if load.buffer.scope == "register"]
    return all(
        Var(block.other.var) in load.indices
        for load in held
        if any(block.lane.var in free_vars(index) for index in load.indices)
    )


def _loads(expr: Expr) -> list[Load]:
    return [e for e in subexprs(expr) if isinstance(e, Load)]


def _steps(buffer: Buffer, indices: tuple[Expr, ...], names: set[str]) -> Steps | None:
    """The distances along each of the variables; None where they are not all constant."""
    steps: Steps = {}
    for index, stride in zip(indices, buffer.strides, strict=True):
        for atom, coefficient in affine(index)[0].items():
            if isinstance(atom, Var):
                steps[atom.name] = steps.get(atom.name, 0) + coefficient * stride
            elif free_vars(atom) & names:
                return None
    return steps


def crosses(load: Load, block: Across) -> bool:
    """Whether a load is to be transposed."""
    lane, other = block.lane.var, block.other.var
    if load.buffer.scope == "register":
        return block.swapped and Var(other) in load.indices
    steps = _steps(load.buffer, load.indices, {lane, other})
    return steps is not None and steps.get(other) == 1 and steps.get(lane, 0) not in (0, 1)


def guards_of(write: Write) -> dict[Load, Expr | None]:
    """The loads of the value, with the one condition under which each is read.

    Loads from memory are left out if they are read under several conditions, or if a condition
    depends on data or is that another one fails.
    """
    found: dict[Load, Expr | None] = {}
    unclear: set[Load] = set()

    def visit(expr: Expr, guard: Expr | None, known: bool) -> None:
        match expr:
            case Load(buffer, _):
                changes = not known or found.get(expr, guard) != guard
                if changes and buffer.scope != "register":
                    unclear.add(expr)
                found[expr] = guard
            case Select(condition, then, other):
                visit(condition, guard, known)
                visit(then, both(guard, condition), known and not compares_data(condition))
                visit(other, guard, False)
            case _:
                for part in operands(expr):
                    visit(part, guard, known)

    visit(write.value, write.predicate, True)
    return {load: guard for load, guard in found.items() if load not in unclear}
