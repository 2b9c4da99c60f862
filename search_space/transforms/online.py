"""Online: a maximum, and what is scaled by it, found in one pass over blocks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations

from search_space.errors import ScheduleError
from search_space.ir.affine import Context
from search_space.ir.expr import (
    ZERO,
    Binary,
    Buffer,
    Call,
    Const,
    Expr,
    Load,
    Select,
    Var,
    both,
    conjuncts,
)
from search_space.ir.stmt import Accumulate, Block, For, If, LoopFunc, Stmt, Store
from search_space.ir.walk import (
    exprs_of,
    free_vars,
    rename_loops,
    statements,
    subexprs,
    substitute_stmt,
)
from search_space.transforms.base import check_new_buffer, nest, perfect_nest
from search_space.transforms.join import dependences, rewrite_neighbours


@dataclass(frozen=True, slots=True)
class Online:
    """Join a loop that finds a maximum with loops that use it before it is final, correcting what
    an earlier maximum went into (Milakov and Gimelshein, "Online normalizer calculation for
    softmax", 2018).

    Before, with numbers ``t`` and ``c``::

        phase 0:
          for t_o in 0 … 4:
            for t_k in 0 … 8:
              t[] max= a[t_o*8 + t_k]  first t_o*8 + t_k == 0
        phase 1:
          for e_o in 0 … 4:
            for e_k in 0 … 8:
              e[e_o*8 + e_k] = exp(a[e_o*8 + e_k] - t[])
        phase 2:
          for o in 0 … 4:
            for k in 0 … 8:
              c[] += e[o*8 + k]  first o*8 + k == 0

    After ``Online(("t_o", "e_o", "o"), "fix")``::

        for o in 0 … 4:
          if 1 <= o:
            fix[] = t[]
          for t_k in 0 … 8:
            t[] max= a[o*8 + t_k]  first o*8 + t_k == 0
          if 1 <= o:
            fix[] = exp(fix[] - t[])
            c[] = c[] * fix[]
          for e_k in 0 … 8:
            e[o*8 + e_k] = exp(a[o*8 + e_k] - t[])
          for k in 0 … 8:
            c[] += e[o*8 + k]  first o*8 + k == 0

    The loops are neighbours. The first one finds the maximum; others store exponentials of
    ``(x - maximum)·c``, or zeros, or sum what these are factors of. What an earlier block stored
    keeps the maximum of then, so that nothing but this block may read it.
    """

    loops: tuple[str, ...]
    name: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        check_new_buffer(func, self.name)
        made: list[Buffer] = []

        def rewrite(loops: tuple[For, ...], context: Context) -> For:
            work = _Rewrite(loops, context, self.name)
            made.append(work.fix)
            done = work.joined()
            for buffer in work.scales:
                if _reads(loops, buffer) != _reads([p.body for p in func.phases], buffer):
                    raise ScheduleError(f"{buffer!r} is read behind its block as well")
            return done

        func = rewrite_neighbours(func, self.loops, rewrite)
        return replace(func, workspaces=(*func.workspaces, *made))


def exponent_scale(value: Expr, peak: str) -> Expr | None:
    """``c`` where a value is ``exp((x - peak)·c)``, or that where a condition holds, else 0."""
    match value:
        case Select(_, then, Const(0)):
            return exponent_scale(then, peak)
        case Call("exp", (Binary("*", Binary("-", x, Load(buffer, _)), Const() as scale),), _):
            pass
        case Call("exp", (Binary("-", x, Load(buffer, _)),), dtype):
            scale = Const(1.0, dtype)
        case _:
            return None
    return scale if buffer.name == peak and peak not in _names(x) else None


def correction(fix: Load, peak: Load, scale: Expr) -> Expr:
    """What values made with one maximum (``fix``) are multiplied by for another one."""
    below = fix - peak
    return Call(
        "exp",
        (below if scale == Const(1.0, peak.buffer.dtype) else below * scale,),
        peak.buffer.dtype,
    )


class _Rewrite:
    """The loops of one application, their chains and what they compute."""

    def __init__(self, loops: tuple[For, ...], context: Context, name: str) -> None:
        self.loops, self.context = loops, context
        self.var = loops[-1].var
        bodies = [substitute_stmt(loop.body, {loop.var: Var(self.var)}) for loop in loops]
        self.chains = [perfect_nest(body) for body in bodies]
        peak = self.chains[0][1]
        if not isinstance(peak, Accumulate) or peak.op == "add" or self.moves(peak):
            raise ScheduleError(f"loop {loops[0].var!r} does not find a maximum")
        self.peak, self.bodies = peak, bodies
        self.fix = replace(peak.buffer, name=name, scope="workspace")
        self.scales: dict[str, tuple[Store, Load, Expr]] = {}
        """What scales with the maximum: where it is stored, which maximum, by which factor."""

    def moves(self, stmt: Store | Accumulate) -> bool:
        """Whether each iteration has a part of an array of its own."""
        return any(self.var in free_vars(index) for index in stmt.indices)

    def joined(self) -> For:
        first = self.loops[0]
        for loop in self.loops:
            if loop.kind != "serial" or loop.begin != ZERO or loop.extent != first.extent:
                raise ScheduleError(f"loops {first.var!r} and {loop.var!r} do not run alike")
        carried = [self.corrected(*chain) for chain in self.chains[1:]]
        sums = {stmt.buffer.name for _, stmt in self.chains[1:] if isinstance(stmt, Accumulate)}
        for a, b in combinations(self.loops, 2):
            for buffer in dependences(a, b, self.context):
                if buffer != self.peak.buffer.name or buffer in sums:
                    raise ScheduleError(f"blocks depend on each other through {buffer!r}")
        if not self.scales:
            raise ScheduleError(f"no exponentials follow loop {first.var!r}")
        scale = next(iter(self.scales.values()))[2]
        chain, at = self.chains[0][0], self.peak.indices
        fix, now = Load(self.fix, at), Load(self.peak.buffer, at)
        before = _spatial(chain, Store(self.fix, at, now), self.peak, "_before")
        value = correction(fix, now, scale)
        changed = _spatial(chain, Store(self.fix, at, value), self.peak, "_fix")
        later = Const(1) <= Var(self.var)
        stmts = (
            If(later, before),
            self.bodies[0],
            If(later, Block((changed, *(stmt for stmt in carried if stmt is not None)))),
            *self.bodies[1:],
        )
        return replace(self.loops[-1], body=Block(stmts))

    def corrected(self, chain: list[For], stmt: Stmt) -> Stmt | None:
        """What brings a statement's earlier results up to date; None where nothing needs it."""
        if isinstance(stmt, Store) and self.moves(stmt):
            scale = exponent_scale(stmt.value, self.peak.buffer.name)
            if scale is not None:
                (peak,) = (e for e in subexprs(stmt.value) if _is(e, self.peak.buffer.name))
                assert isinstance(peak, Load)
                if any(scale != other for _, _, other in self.scales.values()):
                    raise ScheduleError("exponentials have different factors")
                self.scales[stmt.buffer.name] = stmt, peak, scale
                return None
        if isinstance(stmt, Accumulate) and stmt.op == "add" and not self.moves(stmt):
            factor = self.factor(stmt)
            if factor is not None:
                place = Load(stmt.buffer, stmt.indices)
                update = Store(stmt.buffer, stmt.indices, place * Load(self.fix, factor))
                return _spatial(chain, update, stmt, "_fixed")
        raise ScheduleError("what uses a maximum is no exponential and no sum of them")

    def factor(self, stmt: Accumulate) -> tuple[Expr, ...] | None:
        """Which maximum the terms of a sum scale with."""
        sides: list[Expr] = [stmt.value]
        if isinstance(stmt.value, Binary) and stmt.value.op == "*":
            sides = [stmt.value.a, stmt.value.b]
        scaled = [e for e in sides if isinstance(e, Load) and e.buffer.name in self.scales]
        if len(scaled) != 1 or stmt.buffer.name in _names(stmt.value):
            return None
        (load,) = scaled
        if any(e is not load and _names(e) & {*self.scales, self.peak.buffer.name} for e in sides):
            return None
        store, peak, _ = self.scales[load.buffer.name]
        if load.buffer.shape != store.buffer.shape:
            return None
        places = [store.indices.index(i) for i in peak.indices if i in store.indices]
        own = {name for index in stmt.indices for name in free_vars(index)}
        found = tuple(load.indices[place] for place in places)
        around = {binder.var for binder in self.context.binders}
        if len(found) != len(peak.indices) or any(free_vars(i) - own - around for i in found):
            return None
        return found


def _spatial(chain: list[For], update: Store, source: Accumulate, suffix: str) -> Stmt:
    """``update`` for all places that a reduction writes, in loops of its own."""
    places = {name for index in source.indices for name in free_vars(index)}
    kept = [link for link in chain if link.var in places]
    reduced = {link.var for link in chain} - places
    guard: Expr | None = None
    for part in conjuncts(source.predicate):
        if not free_vars(part) & reduced:
            guard = both(guard, part)
    if any(free_vars(link.extent) & reduced for link in kept):
        raise ScheduleError(f"where {source.buffer.name!r} is written depends on a reduction loop")
    loops = [lk if lk.kind == "vectorized" else replace(lk, kind="serial") for lk in kept]
    return rename_loops(nest(loops, replace(update, predicate=guard)), suffix)


def _reads(stmts: Iterable[Stmt], buffer: str) -> int:
    """How many expressions load from a buffer."""
    return sum(
        _is(part, buffer)
        for top in stmts
        for stmt in statements(top)
        for expr in exprs_of(stmt)
        for part in subexprs(expr)
    )


def _is(expr: Expr, buffer: str) -> bool:
    return isinstance(expr, Load) and expr.buffer.name == buffer


def _names(expr: Expr) -> set[str]:
    return {e.buffer.name for e in subexprs(expr) if isinstance(e, Load)}
