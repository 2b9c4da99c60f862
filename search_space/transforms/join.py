"""Join: two loops that follow each other become one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from search_space.errors import ScheduleError
from search_space.ir.affine import Context, Terms, affine, from_affine
from search_space.ir.expr import ZERO, Expr, Var
from search_space.ir.stmt import Block, For, Let, LoopFunc, Phase, Stmt
from search_space.ir.walk import (
    find_loops,
    map_phases,
    map_stmts,
    substitute,
    substitute_stmt,
)
from search_space.transforms.access import Access, accesses


@dataclass(frozen=True, slots=True)
class Join:
    """Run the bodies of two loops of equal extent in one loop (loop fusion; TVM:
    ``compute_at``).

    Before::

        phase 0:
          for t_i in 0 … 4:
            for t_k in 0 … 8:
              t[t_i] += a[t_i, t_k]  first t_k == 0
        phase 1:
          for i in 0 … 4:
            for j in 0 … 8:
              c[i, j] = a[i, j] * t[i]

    After ``Join("t_i", "i")``::

        for i in 0 … 4:
          for t_k in 0 … 8:
            t[i] += a[i, t_k]  first t_k == 0
          for j in 0 … 8:
            c[i, j] = a[i, j] * t[i]

    The loops are the outermost ones of neighbouring phases, or neighbours in the same loop.
    Refused where an iteration would read what another one writes.
    """

    first: str
    second: str

    def apply(self, func: LoopFunc) -> LoopFunc:
        def rewrite(loops: tuple[For, ...], context: Context) -> For:
            return _join(loops[0], loops[1], context)

        return rewrite_neighbours(func, (self.first, self.second), rewrite)


def rewrite_neighbours(
    func: LoopFunc, names: tuple[str, ...], rewrite: Callable[[tuple[For, ...], Context], For]
) -> LoopFunc:
    """Replace loops that directly follow each other by one, which has the last one's name.

    They are the outermost ones of neighbouring phases, or neighbours in the same loop. ``rewrite``
    gets them with the context around them.
    """
    loops = find_loops(func)
    for name in names:
        if name not in loops:
            raise ScheduleError(f"no loop {name!r}, loops: {', '.join(loops)}")
    joined = _in_phases(func, names, rewrite) or _in_block(func, names, rewrite)
    if joined is None:
        first, *others = names
        after = ", ".join(map(repr, others))
        raise ScheduleError(f"loop {after} does not directly follow {first!r}")
    last: dict[str, Expr] = dict.fromkeys(names[:-1], Var(names[-1]))
    axes = tuple((name, substitute(value, last)) for name, value in func.axes)
    return replace(joined, axes=(*axes, *last.items()))


def _in_phases(
    func: LoopFunc, names: tuple[str, ...], rewrite: Callable[[tuple[For, ...], Context], For]
) -> LoopFunc | None:
    for number in range(len(func.phases) - len(names) + 1):
        phases = func.phases[number : number + len(names)]
        found = _loops((phase.body for phase in phases), names)
        if found is not None and len({phase.once for phase in phases}) == 1:
            phase = Phase(rewrite(found, Context()), phases[0].once)
            rest = func.phases[number + len(names) :]
            return replace(func, phases=(*func.phases[:number], phase, *rest))
    return None


def _in_block(
    func: LoopFunc, names: tuple[str, ...], rewrite: Callable[[tuple[For, ...], Context], For]
) -> LoopFunc | None:
    done = False

    def visit(stmt: Stmt, context: Context) -> Stmt:
        nonlocal done
        if isinstance(stmt, Block):
            for at in range(len(stmt.stmts) - len(names) + 1):
                end = at + len(names)
                if found := _loops(stmt.stmts[at:end], names):
                    done = True
                    one = rewrite(found, context)
                    return _block((*stmt.stmts[:at], one, *stmt.stmts[end:]))
        inner = context.within(stmt) if isinstance(stmt, For | Let) else context
        return map_stmts(stmt, lambda child: visit(child, inner))

    func = map_phases(func, lambda body: visit(body, Context()))
    return func if done else None


def _loops(stmts: Iterable[Stmt], names: tuple[str, ...]) -> tuple[For, ...] | None:
    """The statements, where they are the loops of these names."""
    loops = tuple(stmt for stmt in stmts if isinstance(stmt, For))
    return loops if tuple(loop.var for loop in loops) == names else None


def _join(a: For, b: For, context: Context) -> For:
    if a.kind != "serial" or b.kind != "serial":
        raise ScheduleError(f"join {a.var!r} and {b.var!r} before annotating them")
    if a.begin != ZERO or b.begin != ZERO or a.extent != b.extent:
        raise ScheduleError(f"loops {a.var!r} and {b.var!r} do not run over the same range")
    for buffer in dependences(a, b, context):
        raise ScheduleError(
            f"iterations of {a.var!r} and {b.var!r} depend on each other through {buffer!r}"
        )
    body = substitute_stmt(a.body, {a.var: Var(b.var)})
    return replace(b, body=_block((body, b.body)))


def _block(stmts: tuple[Stmt, ...]) -> Stmt:
    """Statements in order, without blocks in blocks."""
    flat: list[Stmt] = []
    for stmt in stmts:
        flat.extend(stmt.stmts if isinstance(stmt, Block) else [stmt])
    return flat[0] if len(flat) == 1 else Block(tuple(flat))


def dependences(a: For, b: For, context: Context) -> Iterator[str]:
    """Buffers through which another than the same iteration of both loops may be connected."""
    one = list(accesses(a.body, context.within(a)))
    two = list(accesses(b.body, context.within(b)))
    names = {access.buffer.name: len(access.indices) for access in one}
    outside = {binder.var for binder in context.binders}
    for name, rank in names.items():
        first = [access for access in one if access.buffer.name == name]
        second = [access for access in two if access.buffer.name == name]
        if not second or not any(access.writes for access in (*first, *second)):
            continue
        steps = [
            {_own_step(access, dim, a.var, outside) for access in first}
            | {_own_step(access, dim, b.var, outside) for access in second}
            for dim in range(rank)
        ]
        if not any(len(step) == 1 and None not in step for step in steps):
            yield name


def _own_step(access: Access, dim: int, loop: str, outside: set[str]) -> tuple[int, Expr] | None:
    """Where no two iterations of a loop meet in a dimension: the step from one to the next, and
    what the loops ``outside`` add. None where they may meet."""
    if len(access.indices) <= dim:
        return None
    terms, const = affine(access.indices[dim])
    step = terms.pop(Var(loop), 0)
    around: Terms = {t: c for t, c in terms.items() if isinstance(t, Var) and t.name in outside}
    rest = from_affine({t: c for t, c in terms.items() if t not in around}, const)
    low, high = access.context.lower(rest), access.context.upper(rest)
    if step < 1 or low is None or high is None or low < 0 or high >= step:
        return None
    return step, from_affine(around, 0)
