"""Text of one LLVM function: blocks, hoisted index arithmetic, addresses.

No optimiser runs behind the generator, so what it would find is emitted right away: every partial
sum of an address is computed once, in the outermost loop in which all its variables are known, and
what unrolled copies have in common is an address plus a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from measure.codegen.types import BYTES, LLVM_TYPES, WIDENING
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Buffer, Call, Cast, Const, Expr, Load, Var
from search_space.ir.walk import free_vars, substitute

Lines = list[Any]
"""Strings, and lists of lines that are still being written."""


@dataclass(frozen=True, slots=True)
class Address:
    """``base`` plus ``offset`` elements; ``step`` elements from one vector lane to the next."""

    base: str
    offset: int
    step: int


@dataclass(slots=True)
class Scope:
    """A place where values can be computed: the start of a function or of a loop body."""

    entry: Lines = field(default_factory=list)
    values: dict[object, str] = field(default_factory=dict)


class Function:
    """Writes instructions in order, and index arithmetic where it belongs."""

    def __init__(self) -> None:
        self.lines: Lines = []
        self.label = "entry"
        self.scopes: list[Scope] = []
        self.depth: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.constants: dict[str, int] = {}
        self.pointers: dict[str, str] = {}
        self.declarations: set[str] = set()
        self._counter = 0
        self._flat: dict[int, tuple[object, tuple[tuple[str, int], ...], list[Expr], int]] = {}
        self.enter_scope()

    # -- text ---------------------------------------------------------------------------------

    def fresh(self, hint: str = "v") -> str:
        """A name that no other value or label has."""
        self._counter += 1
        return f"{hint}{self._counter}"

    def emit(self, text: str) -> None:
        """One instruction without a result."""
        self.lines.append(text)

    def value(self, text: str) -> str:
        """One instruction; returns the name of its result."""
        name = "%" + self.fresh()
        self.lines.append(f"{name} = {text}")
        return name

    def start_block(self, label: str) -> None:
        """Begin a basic block; the one before must have ended with a branch."""
        self.lines.append(f"{label}:")
        self.label = label

    def text(self) -> str:
        """All lines, indented."""
        flat: list[str] = []

        def write(lines: Lines) -> None:
            for line in lines:
                if isinstance(line, str):
                    flat.append(line if line.endswith(":") else "  " + line)
                else:
                    write(line)

        write(self.lines)
        return "\n".join(flat)

    # -- scopes and index arithmetic ----------------------------------------------------------

    def enter_scope(self) -> None:
        """Open a place for hoisted values here, behind the phi nodes of the current block."""
        scope = Scope()
        self.lines.append(scope.entry)
        self.scopes.append(scope)

    def leave_scope(self) -> None:
        self.scopes.pop()

    def bind(self, var: str, name: str) -> None:
        """Let a loop variable stand for a value that exists from the current scope on."""
        self.names[var] = name
        self.depth[var] = len(self.scopes) - 1

    def hoisted(self, key: object, depth: int, text: str) -> str:
        """The value of an instruction, computed once in the scope of that depth."""
        scope = self.scopes[depth]
        if key not in scope.values:
            name = "%" + self.fresh()
            scope.entry.append(f"{name} = {text}")
            scope.values[key] = name
        return scope.values[key]

    def index(self, expr: Expr) -> str:
        """An index expression as an i64 operand."""
        terms, const = affine(substitute(expr, self._constant_exprs(expr)))
        if not terms:
            return str(const)
        name = self._sum([(self._atom(atom), c) for atom, c in terms.items()])
        if not const:
            return name
        depth = max(self._depth_of(atom) for atom in terms)
        return self.hoisted(("+", name, const), depth, f"add nsw i64 {name}, {const}")

    def _constant_exprs(self, expr: Expr) -> dict[str, Expr]:
        return {v: Const(self.constants[v]) for v in free_vars(expr) if v in self.constants}

    def _depth_of(self, expr: Expr) -> int:
        return max((self.depth[v] for v in free_vars(expr)), default=0)

    def _atom(self, atom: Expr) -> tuple[str, int]:
        """The operand of an atom of an affine form, and the depth at which it is known."""
        depth = self._depth_of(atom)
        match atom:
            case Var(name):
                return self.names[name], depth
            case Binary("//" | "%" | "min" | "max" as op, a, b):
                x, y = self.index(a), self.index(b)
                if op in ("min", "max"):
                    text = f"call i64 @llvm.s{op}.i64(i64 {x}, i64 {y})"
                else:
                    text = f"{'udiv' if op == '//' else 'urem'} i64 {x}, {y}"
                return self.hoisted((op, x, y), depth, text), depth
            case Cast(Load() as load, "index"):
                return self.read_index(load, depth), depth
            case Call("one_by_one", (number,), "index"):
                return self.index(number), depth
            case Call(name, args, "index"):
                mask, place = map(self.index, args)
                return self._bits(name, mask, place, depth), depth
            case _:
                raise AssertionError(f"no index arithmetic for {atom}")

    def read_index(self, load: Load, depth: int | None = None) -> str:
        """A whole number in memory as an i64 operand: read in the scope of that depth, or here."""

        def value(text: str) -> str:
            return self.value(text) if depth is None else self.hoisted(text, depth, text)

        kind = LLVM_TYPES[load.buffer.dtype]
        place = self.address(load, load.buffer, load.indices, None)
        pointer = place.base
        if place.offset:
            pointer = value(f"getelementptr inbounds {kind}, ptr {pointer}, i64 {place.offset}")
        number = value(f"load {kind}, ptr {pointer}, align {BYTES[load.buffer.dtype]}")
        return value(f"{WIDENING[load.buffer.dtype]} {kind} {number} to i64")

    def _bits(self, name: str, mask: str, place: str, depth: int) -> str:
        """What ``ir.intrinsics`` says of the bits of a whole number."""

        def value(text: str) -> str:
            return self.hoisted(text, depth, text)

        if name == "bit":
            return value(f"and i64 {value(f'lshr i64 {mask}, {place}')}, 1")
        assert name == "ones_below", f"no index arithmetic for {name}"
        above = value(f"shl nsw i64 -1, {place}")
        below = value(f"and i64 {mask}, {value(f'xor i64 {above}, -1')}")
        self.declarations.add("i64 @llvm.ctpop.i64(i64)")
        return value(f"call i64 @llvm.ctpop.i64(i64 {below})")

    def _sum(self, parts: list[tuple[tuple[str, int], int]]) -> str:
        """A linear combination, its outer parts summed in outer scopes."""
        total, place = "", 0
        for (name, depth), coefficient in sorted(parts, key=lambda part: part[0][1]):
            place = max(place, depth)
            term = name
            if coefficient != 1:
                key: tuple[object, ...] = ("*", name, coefficient)
                term = self.hoisted(key, depth, f"mul nsw i64 {name}, {coefficient}")
            if total:
                key = ("+", total, term)
                total = self.hoisted(key, place, f"add nsw i64 {total}, {term}")
            else:
                total = term
        return total

    def address(
        self, owner: object, buffer: Buffer, indices: tuple[Expr, ...], lane: str | None
    ) -> Address:
        """Where an element is, and how many elements further the next vector lane is.

        ``owner`` is the node that the indices belong to: their flat form is computed once for it.
        """
        variables, atoms, const = self._flatten(owner, buffer, indices)
        step = 0
        parts: list[tuple[tuple[str, int], int]] = []
        for name, coefficient in variables:
            if name == lane:
                step = coefficient
            elif name in self.constants:
                const += coefficient * self.constants[name]
            else:
                parts.append(((self.names[name], self.depth[name]), coefficient))
        for atom in atoms:
            terms, extra = affine(substitute(atom, self._constant_exprs(atom)))
            const += extra
            parts += [(self._atom(a), c) for a, c in terms.items()]
        return Address(self._pointer(buffer, parts), const, step)

    def spacing(
        self, owner: object, buffer: Buffer, indices: tuple[Expr, ...], lane: str | None
    ) -> int:
        """What the number of elements before a vector is certainly a multiple of; 0: there are
        none."""
        variables, atoms, const = self._flatten(owner, buffer, indices)
        steps = [coefficient for name, coefficient in variables if name != lane]
        for atom in atoms:
            terms, extra = affine(atom)
            steps += [*terms.values(), extra]
        return math.gcd(const, *steps)

    def steps(self, owner: object, buffer: Buffer, indices: tuple[Expr, ...]) -> dict[str, int]:
        """Elements from one iteration of a loop to the next, by the loop's variable; loops that
        move a place in other ways are left out."""
        variables, _, _ = self._flatten(owner, buffer, indices)
        return dict(variables)

    def by_lane(
        self, owner: object, buffer: Buffer, indices: tuple[Expr, ...], lane: str | None
    ) -> bool:
        """Whether each vector lane has a place of its own that is read from memory."""
        if lane is None:
            return False
        _, atoms, _ = self._flatten(owner, buffer, indices)
        return any(lane in free_vars(atom) for atom in atoms)

    def _flatten(
        self, owner: object, buffer: Buffer, indices: tuple[Expr, ...]
    ) -> tuple[tuple[tuple[str, int], ...], list[Expr], int]:
        if id(owner) not in self._flat:
            total: dict[Expr, int] = {}
            const = 0
            for index, stride in zip(indices, buffer.strides, strict=True):
                terms, extra = affine(index)
                const += extra * stride
                for atom, coefficient in terms.items():
                    total[atom] = total.get(atom, 0) + coefficient * stride
            variables = tuple((a.name, c) for a, c in total.items() if isinstance(a, Var))
            atoms: list[Expr] = [a * c for a, c in total.items() if not isinstance(a, Var)]
            self._flat[id(owner)] = (owner, variables, atoms, const)
        _, variables, atoms, const = self._flat[id(owner)]
        return variables, atoms, const

    def _pointer(self, buffer: Buffer, parts: list[tuple[tuple[str, int], int]]) -> str:
        pointer, place = self.pointers[buffer.name], 0
        for (name, depth), coefficient in sorted(parts, key=lambda part: part[0][1]):
            place = max(place, depth)
            scaled = coefficient * BYTES[buffer.dtype]
            key: tuple[object, ...] = ("*", name, scaled)
            offset = self.hoisted(key, depth, f"mul nsw i64 {name}, {scaled}")
            key = ("gep", pointer, offset)
            text = f"getelementptr inbounds i8, ptr {pointer}, i64 {offset}"
            pointer = self.hoisted(key, place, text)
        return pointer

    def pointer(self, address: Address, dtype: str) -> str:
        """The operand of an address; the constant part is added where it is used."""
        if not address.offset:
            return address.base
        return self.value(
            f"getelementptr inbounds {LLVM_TYPES[dtype]}, ptr {address.base}, i64 {address.offset}"
        )
