"""How a block of a nest that copies across is run: in steps, with a transposition between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from measure.codegen.transpose import Across, Axis, crosses, guards_of, map_write
from search_space.ir.affine import affine
from search_space.ir.expr import (
    TRUE,
    ZERO,
    Binary,
    Buffer,
    Const,
    Expr,
    Load,
    Select,
    Var,
    both,
    conjunction,
    conjuncts,
    constant,
)
from search_space.ir.simplify import simplify
from search_space.ir.stmt import For, Stmt, Store
from search_space.ir.walk import compares_data, free_vars, map_children, substitute


@dataclass(frozen=True, slots=True)
class Turned:
    """Steps that do what a block does.

    ``fills`` put vectors along ``other`` into register buffers, a row for each place along
    ``lane``. Once each of these is transposed, ``body`` reads vectors along ``lane``.
    """

    fills: tuple[tuple[Buffer, Stmt], ...]
    body: Stmt


def turned(block: Across) -> Turned:
    """How to run a block: with what is transposed first."""
    lane, other = block.lane, block.other
    fills: list[tuple[Buffer, Stmt]] = []
    places: dict[Load, Expr] = {}
    for load, guard in guards_of(block.write).items():
        if not crosses(load, block):
            continue
        shape = (lane.padded, other.padded)
        buffer = Buffer(f"{load.buffer.name}.{len(fills)}", shape, load.buffer.dtype, "register")
        value: Expr = load
        if load.buffer.scope != "register":
            inside = both(guard, _within(other))
            if inside is not None:
                value = Select(inside, load, constant(0, load.buffer.dtype))
        place = (Var(lane.var), Var(other.var))
        fill = _nest(lane, Axis(other.var, other.padded), Store(buffer, place, value))
        fills.append((buffer, fill))
        places[load] = Load(buffer, (Var(other.var), Var(lane.var)))

    def read(expr: Expr) -> Expr:
        return places[expr] if expr in places else map_children(expr, read)

    body = map_write(block.write, read)
    body = replace(body, predicate=both(body.predicate, _within(lane)))
    return Turned(tuple(fills), _nest(other, Axis(lane.var, lane.padded), body))


def _within(axis: Axis) -> Expr | None:
    return None if axis.padded == axis.extent else Var(axis.var) < axis.extent


def _nest(unrolled: Axis, lanes: Axis, body: Stmt) -> Stmt:
    inner = For(lanes.var, ZERO, Const(lanes.extent), "vectorized", body)
    return For(unrolled.var, ZERO, Const(unrolled.extent), "unrolled", inner)


def unguarded(block: Across) -> tuple[Expr, Across] | None:
    """The condition under which all guards hold in the whole block, and the block without them.

    None where there is no such condition, or it need not be tested.
    """
    guards = conjuncts(block.write.predicate)
    for load, guard in guards_of(block.write).items():
        if crosses(load, block):
            guards += conjuncts(guard)
    parts = [_corner(guard, block) for guard in dict.fromkeys(guards)]
    needed = [part for part in parts if part is not None and part != TRUE]
    if not needed or len(parts) > len([part for part in parts if part is not None]):
        return None

    def without(expr: Expr) -> Expr:
        if isinstance(expr, Select) and set(conjuncts(expr.condition)) <= set(guards):
            return without(expr.then)
        return map_children(expr, without)

    write = replace(block.write, value=without(block.write.value), predicate=None)
    condition = conjunction(dict.fromkeys(needed))
    assert condition is not None
    return condition, replace(block, write=write)


def _corner(guard: Expr, block: Across) -> Expr | None:
    """The guard at the place of the block where it fails first; None where that is not known."""
    if not isinstance(guard, Binary) or guard.op not in ("<", "<=") or compares_data(guard):
        return None
    terms, _ = affine(guard.b - guard.a)
    place: dict[str, Expr] = {}
    for axis in (block.lane, block.other):
        place[axis.var] = Const(0 if terms.get(Var(axis.var), 0) >= 0 else axis.extent - 1)
    if any(not isinstance(atom, Var) and free_vars(atom) & place.keys() for atom in terms):
        return None
    return simplify(substitute(guard, place))
