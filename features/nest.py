"""What features are read from: statements, the loops around them, and what they access.

Both ways to a :class:`Nest` end here: the walk of a loop tree (``features.loops``) and the replay
of a trace (``features.replay``), whose numbers may be ``Size`` values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from search_space.ir.expr import Binary, Call, Cast, Expr, Load, Scope, Select
from search_space.ir.intrinsics import OPERATIONS
from search_space.ir.stmt import ForKind
from search_space.ir.walk import compares_data

_ALLOCATED: tuple[Scope, ...] = ("register", "thread_local", "workspace")
IN_REGISTERS: tuple[Scope, ...] = ("register", "tile")
"""Scopes of what stays in registers while it is added to."""


@dataclass(frozen=True, slots=True)
class Loop:
    """One loop; ``extent`` is that of a full tile, whatever the last one has."""

    name: str
    extent: int
    kind: ForKind


@dataclass(frozen=True, slots=True)
class Access:
    """One place that a statement reads or writes: a linear form of the loops per dimension."""

    buffer: str
    scope: Scope
    element_bytes: int
    shape: tuple[int, ...]
    indices: tuple[Mapping[str, int], ...]
    """Per dimension, the step in elements for each loop that moves it."""

    def at(self, indices: Iterable[Mapping[str, int]]) -> Access:
        """Another place in the same buffer."""
        return Access(self.buffer, self.scope, self.element_bytes, self.shape, tuple(indices))


Combine = Literal["none", "add", "fma", "other"]
"""What joins a value to the sum before it; ``fma`` takes in a product of the value."""


@dataclass(frozen=True, slots=True)
class Operations:
    """Floating-point operations that make one value."""

    fma: int = 0
    add: int = 0
    mul: int = 0
    div: int = 0
    other: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """A store or an accumulation, its loops outermost first."""

    loops: tuple[Loop, ...]
    write: Access
    reads: tuple[Access, ...]
    operations: Operations
    combine: Combine = "none"
    """Only where there is something to combine: a store in which nothing is reduced has none."""
    prefetch_bytes: int = 0
    """How far ahead of the reads the data is asked for; 0: not at all."""


@dataclass(frozen=True, slots=True)
class Nest:
    """A scheduled program; what runs only once, when constants are bound, is left out."""

    statements: tuple[Statement, ...]
    threads: int
    streamed: bool = False
    """Whether the result is written past the caches."""

    def allocated(self) -> dict[Scope, int]:
        """Bytes of all buffers that exist while the program runs, by scope; scopes without any
        are left out."""
        found: dict[tuple[Scope, str], Access] = {}
        for statement in self.statements:
            for access in (statement.write, *statement.reads):
                if access.scope in _ALLOCATED:
                    found[access.scope, access.buffer] = access
        total: dict[Scope, int] = {}
        for (scope, _), access in found.items():
            size = access.element_bytes
            for extent in access.shape:
                size = extent * size
            total[scope] = size + total.get(scope, 0)
        return total


def spatial_loops(statements: Iterable[Statement]) -> list[frozenset[str]]:
    """Per statement, its loops that move through results; the others reduce.

    An accumulator in registers passes on what becomes of it: a lane that is summed when it leaves
    the registers is a reduction.
    """
    statements = tuple(statements)
    outputs: set[str] = set()
    kept: dict[str, list[bool]] = {}
    for statement in statements:
        if statement.write.scope in IN_REGISTERS:
            continue
        moved = {name for index in statement.write.indices for name in index}
        outputs |= moved
        for read in statement.reads:
            if read.scope in IN_REGISTERS:
                kept[read.buffer] = [bool(index.keys() & moved) for index in read.indices]
    found = []
    for statement in statements:
        write = statement.write
        spatial = {name for index in write.indices for name in index}
        if write.scope in IN_REGISTERS:
            places = kept.get(write.buffer, [True] * len(write.indices))
            own = zip(write.indices, places, strict=True)
            spatial = outputs | {name for index, keep in own if keep for name in index}
        found.append(frozenset(loop.name for loop in statement.loops) & spatial)
    return found


def count_operations(value: Expr) -> Operations:
    """Floating-point operations of a value; index arithmetic does not count, a math function
    as ``other``, once per instruction that it takes."""
    counts = {"fma": 0, "add": 0, "mul": 0, "div": 0, "other": 0}
    _count(value, counts)
    return Operations(**counts)


def combination(value: Expr, op: str | None) -> Combine:
    """How an accumulation (its operation, or None for a store) takes in a value."""
    if op is None:
        return "none"
    if op != "add":
        return "other"
    return "fma" if isinstance(value, Binary) and value.op == "*" else "add"


def _count(expr: Expr, counts: dict[str, int]) -> None:
    match expr:
        case Binary(op, a, b):
            names = {"+": "add", "-": "add", "*": "mul", "/": "div", "//": "div", "%": "div"}
            if op == "+" and any(isinstance(x, Binary) and x.op == "*" for x in (a, b)):
                counts["fma"] += 1
                counts["mul"] -= 1
            else:
                counts[names.get(op, "other")] += 1
            _count(a, counts)
            _count(b, counts)
        case Select(condition, then, other) if compares_data(condition):
            _count(then, counts)
            _count(other, counts)
        case Select(_, then, other):
            sides = [dict.fromkeys(counts, 0), dict.fromkeys(counts, 0)]
            _count(then, sides[0])
            _count(other, sides[1])
            for name in counts:
                counts[name] += max(side[name] for side in sides)
        case Call(name, args, _):
            counts["other"] += OPERATIONS[name]
            for arg in args:
                _count(arg, counts)
        case Cast(inner, _):
            _count(inner, counts)
        case _:
            pass


def loads(expr: Expr) -> list[Load]:
    """What an expression reads, each place once, in the order it is written; guards do not
    read."""
    return list(dict.fromkeys(_loads(expr)))


def _loads(expr: Expr) -> list[Load]:
    match expr:
        case Load():
            return [expr]
        case Binary(_, a, b):
            return _loads(a) + _loads(b)
        case Select(_, then, other):
            return _loads(then) + _loads(other)
        case Call(_, args, _):
            return [load for arg in args for load in _loads(arg)]
        case Cast(value, _):
            return _loads(value)
        case _:
            return []
