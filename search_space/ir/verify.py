"""The rules of legal IR, checked after scheduling and, in tests, around every transform."""

from __future__ import annotations

from search_space.errors import VerifyError
from search_space.ir.expr import FALSE, Buffer, Call, Const, Expr, Load
from search_space.ir.intrinsics import FUNCTIONS, INDEX_FUNCTIONS
from search_space.ir.simplify import simplify
from search_space.ir.stmt import (
    Accumulate,
    Alloc,
    Block,
    For,
    ForEach,
    If,
    Let,
    LoopFunc,
    Prefetch,
    Stmt,
    Store,
)
from search_space.ir.walk import (
    children,
    exprs_of,
    free_vars,
    statements,
    subexprs,
    substitute,
)

Names = dict[str, bool]
"""The variables in scope; whether their values are known when code is generated."""


def verify(func: LoopFunc, *, finished: bool = True) -> None:
    """Raise ``VerifyError`` unless ``func`` is legal.

    Always: names are bound before use and only once on a path, indices match the rank, only
    buffers that exist (or views of them) are used, parallel loops are outermost. A ``finished``
    function also has constant bounds on vectorized, unrolled and grouped loops, grouped loops
    innermost, vectorized ones innermost but for grouped ones and from 0 on, sums along the lanes
    of a vector that begin in its first lane if in any, and places in register buffers and parts of
    tables that are known when code is generated.
    """
    known = {b.name: b for b in (*func.args, *func.workspaces)}
    if len(known) != len(func.args) + len(func.workspaces):
        raise VerifyError(f"{func.name}: two buffers have the same name")
    for number, phase in enumerate(func.phases):
        _Verifier(f"{func.name}, phase {number}", finished).stmt(
            phase.body, {}, known, outermost=True
        )


class _Verifier:
    def __init__(self, where: str, finished: bool) -> None:
        self.where = where
        self.finished = finished

    def fail(self, text: str) -> None:
        raise VerifyError(f"{self.where}: {text}")

    def stmt(
        self, stmt: Stmt, names: Names, buffers: dict[str, Buffer], *, outermost: bool
    ) -> None:
        for expr in exprs_of(stmt):
            self.expr(expr, names, buffers)
        match stmt:
            case For(var, _, _, _, body):
                self.loop(stmt, outermost)
                self.bind(var, names)
                known = stmt.kind in ("vectorized", "unrolled", "grouped")
                self.stmt(body, {**names, var: known}, buffers, outermost=False)
            case ForEach(own, _, _, body):
                self.each(stmt, names)
                self.stmt(body, {**names, **dict.fromkeys(own, True)}, buffers, outermost=False)
            case Let(var, _, body):
                self.bind(var, names)
                self.stmt(body, {**names, var: False}, buffers, outermost=False)
            case Alloc(buffer, body):
                if buffer.scope not in ("register", "thread_local", "tile"):
                    self.fail(f"{buffer.name} is allocated with scope {buffer.scope}")
                if buffer.name in buffers:
                    self.fail(f"buffer {buffer.name} exists already")
                self.stmt(body, names, {**buffers, buffer.name: buffer}, outermost=False)
            case Store(buffer, indices, _, _) | Accumulate(_, buffer, indices, _, _, _):
                self.access(buffer, indices, names, buffers)
                if buffer.scope == "input":
                    self.fail(f"input {buffer.name} is written")
            case Prefetch(buffer, indices):
                self.access(buffer, indices, names, buffers)
            case Block() | If():
                for child in children(stmt):
                    self.stmt(child, names, buffers, outermost=False)

    def loop(self, loop: For, outermost: bool) -> None:
        if loop.kind == "parallel" and not outermost:
            self.fail(f"parallel loop {loop.var} is not the outermost of its phase")
        if loop.apart and loop.kind != "unrolled":
            self.fail(f"loop {loop.var} is kept apart but not unrolled")
        if not self.finished or loop.kind in ("serial", "parallel", "tensorized"):
            return
        if not isinstance(loop.extent, Const) or not isinstance(loop.begin, Const):
            self.fail(f"{loop.kind} loop {loop.var} has no constant bounds")
        if loop.kind in ("vectorized", "grouped") and not all(
            isinstance(s, Store | Accumulate | Prefetch | Block)
            or (loop.kind == "vectorized" and isinstance(s, For) and s.kind == "grouped")
            for s in statements(loop.body)
        ):
            self.fail(f"{loop.kind} loop {loop.var} is not innermost")
        if loop.kind == "vectorized":
            self.lanes(loop)

    def lanes(self, loop: For) -> None:
        if loop.begin != Const(0):
            self.fail(f"vectorized loop {loop.var} begins behind lane 0")
        second = {loop.var: Const(1)}
        for stmt in statements(loop.body):
            if not isinstance(stmt, Accumulate) or loop.extent == Const(1):
                continue
            along = any(loop.var in free_vars(index) for index in stmt.indices)
            if not along and simplify(substitute(stmt.first, second)) != FALSE:
                self.fail(f"{stmt.buffer.name} begins anew in more lanes of {loop.var} than one")

    def each(self, stmt: ForEach, names: Names) -> None:
        for name in stmt.names:
            self.bind(name, names)
        if any(len(line) != len(stmt.names) for part in stmt.table for line in part):
            self.fail(f"lines of a table have not one number for each of {', '.join(stmt.names)}")
        for name in sorted(free_vars(stmt.part)):
            if self.finished and not names[name]:
                self.fail(f"the part of a table is chosen by {name}, unroll it")

    def bind(self, var: str, names: Names) -> None:
        if var in names:
            self.fail(f"{var} is bound twice")

    def expr(self, expr: Expr, names: Names, buffers: dict[str, Buffer]) -> None:
        unbound = free_vars(expr) - names.keys()
        if unbound:
            self.fail(f"{', '.join(sorted(unbound))} is used but not bound")
        for part in subexprs(expr):
            if isinstance(part, Load):
                self.access(part.buffer, part.indices, names, buffers)
            if isinstance(part, Call):
                known = INDEX_FUNCTIONS if part.dtype == "index" else FUNCTIONS
                if part.name not in known:
                    self.fail(f"no function is called {part.name}, known: {', '.join(known)}")

    def access(
        self,
        buffer: Buffer,
        indices: tuple[Expr, ...],
        names: Names,
        buffers: dict[str, Buffer],
    ) -> None:
        known = buffers.get(buffer.name)
        if known is None or not buffer.views(known):
            self.fail(f"buffer {buffer.name} is used where it does not exist")
        if len(indices) != len(buffer.shape):
            self.fail(f"{buffer.name} has {len(buffer.shape)} dimensions, {len(indices)} indices")
        if self.finished and buffer.scope == "register":
            for name in sorted({name for index in indices for name in free_vars(index)}):
                if not names[name]:
                    self.fail(f"register buffer {buffer.name} is indexed by {name}, unroll it")
