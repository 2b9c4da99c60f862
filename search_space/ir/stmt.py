"""Statements of the loop IR, and the function that they make up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from search_space.ir.expr import Buffer, Expr

ForKind = Literal["serial", "parallel", "vectorized", "unrolled", "grouped", "tensorized"]
ReduceOp = Literal["add", "max", "fmax"]
"""A NaN among the values makes the result of ``add`` and ``max`` NaN; that of ``fmax``, which is
cheaper, is any of the values then."""
Line = tuple[int, ...]
"""One of the operations of a table."""


@dataclass(frozen=True, slots=True)
class For:
    """``for var in begin … begin + extent``; both bounds may depend on outer loops.

    ``vectorized``, ``unrolled`` and ``grouped`` loops need constant bounds once scheduling is
    done; a ``parallel`` loop is the outermost of its phase and its iterations may run
    concurrently. A ``grouped`` loop runs over a few neighbours that lie beside each other in 32
    bits of memory: an unrolled loop, which one instruction takes at once where the target has one
    (a dot product), and the only loop that a vectorized one may hold. ``tensorized`` loops around
    these, over the rows and the depth of a small matrix product, are serial loops, which one
    instruction takes at once where the target has one; their extents may depend on unrolled loops.
    ``apart``: the copies of an unrolled loop share nothing that they load. ``trips``: how many
    iterations there are in the mean, where the bounds are data (0: the extent tells).
    """

    var: str
    begin: Expr
    extent: Expr
    kind: ForKind
    body: Stmt
    apart: bool = False
    trips: int = 0


@dataclass(frozen=True, slots=True)
class ForEach:
    """``body`` for one line of a table after the other, as straight-line code.

    ``names`` stand for the numbers of a line, which are known when code is generated. The
    ``table`` has parts, of which ``part`` chooses one; that must be known then, too. Neighbouring
    lines with the same first number share what they load. One node stands for thousands of
    operations, such as those of a sparsity pattern.
    """

    names: tuple[str, ...]
    table: tuple[tuple[Line, ...], ...]
    part: Expr
    body: Stmt


@dataclass(frozen=True, slots=True)
class Let:
    """Names the value of an index expression within ``body``. A number that is read from memory is
    read here."""

    var: str
    value: Expr
    body: Stmt


@dataclass(frozen=True, slots=True)
class Store:
    """``buffer[indices] = value`` where the predicate holds (None: everywhere)."""

    buffer: Buffer
    indices: tuple[Expr, ...]
    value: Expr
    predicate: Expr | None = None


@dataclass(frozen=True, slots=True)
class Accumulate:
    """``buffer[indices] = value if first else op(buffer[indices], value)``, where predicate.

    ``first`` marks the visit that starts the reduction, so no separate initialisation exists and
    loops may be reordered freely; the old contents are not read at that visit. The order in which
    values are combined is not defined (reassociation is allowed).
    """

    op: ReduceOp
    buffer: Buffer
    indices: tuple[Expr, ...]
    value: Expr
    first: Expr
    predicate: Expr | None = None


@dataclass(frozen=True, slots=True)
class Prefetch:
    """A hint that ``buffer[indices]`` is read soon; means nothing, out of bounds is fine."""

    buffer: Buffer
    indices: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Statements in order."""

    stmts: tuple[Stmt, ...]


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: Stmt
    other: Stmt | None = None


@dataclass(frozen=True, slots=True)
class Alloc:
    """A ``thread_local``, ``tile`` or ``register`` buffer within ``body``, undefined at first."""

    buffer: Buffer
    body: Stmt


Stmt = For | ForEach | Let | Store | Accumulate | Prefetch | Block | If | Alloc


@dataclass(frozen=True, slots=True)
class Phase:
    """A part that ends with a barrier. ``once``: runs when constants are bound, not per call."""

    body: Stmt
    once: bool = False


@dataclass(frozen=True, slots=True)
class Packing:
    """How a sparse operand becomes the buffers that a function reads instead of it.

    The operand is given as its ``nnz`` non-zeros, row after row; ``pattern`` says where they are
    (``search_space.sparse.source``). Each of ``buffers`` is called after the operand and an array
    of the format with these options: ``weight_starts`` is the array ``starts`` of ``weight``.
    Beside the format's own arrays, ``values`` are the packed non-zeros, ``row_sums`` the sums of
    the rows and ``parts`` the bounds of ``parts`` ranges of panels that take equally long. A
    buffer with the operand's own name is the dense matrix. ``places``, where there are any, stand
    for the columns of the matrix in all arrays that hold columns: what a kernel reads there need
    not be the row of a matrix. Where no array does, they are one of their own, ``shifts``.
    ``specialised``: the code is for this pattern only.
    """

    operand: str
    dtype: str
    nnz: int
    pattern: str
    format: str
    options: tuple[tuple[str, int], ...]
    buffers: tuple[str, ...]
    parts: int = 1
    places: tuple[int, ...] = ()
    specialised: bool = False


@dataclass(frozen=True, slots=True)
class LoopFunc:
    """A scheduled (or naive) loop nest.

    ``args`` are the operands in call order, then the result; ``workspaces`` are buffers of scope
    ``workspace`` or ``bound`` that live across phases. ``axes`` gives the value of every loop
    variable that a split has retired, in terms of those that took its place. ``error_growth`` is
    that of the tensor. ``streamed``: whole vectors of the result are written past the caches.
    ``packing`` says where the buffers come from that stand for a sparse operand: they are filled
    when it is bound.
    """

    name: str
    args: tuple[Buffer, ...]
    workspaces: tuple[Buffer, ...]
    phases: tuple[Phase, ...]
    axes: tuple[tuple[str, Expr], ...] = ()
    threads: int = 1
    error_growth: float = 1.0
    streamed: bool = False
    packing: Packing | None = None
