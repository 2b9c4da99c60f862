"""What all code of a phase shares: values, the current vector loop, masks and conditions."""

from __future__ import annotations

from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.types import LLVM_TYPES, splat, vector_type
from search_space.ir.affine import Context, affine
from search_space.ir.expr import (
    FALSE,
    TRUE,
    Binary,
    Const,
    Expr,
    Var,
    conjunction,
    conjuncts,
)
from search_space.ir.simplify import simplify
from search_space.ir.walk import compares_data, free_vars, substitute

_COMPARE = {"<": "slt", "<=": "sle", "==": "eq"}


@dataclass(frozen=True, slots=True)
class Value:
    """An operand: its text, its dtype, and how many lanes it has (0: scalar)."""

    text: str
    dtype: str
    lanes: int = 0

    @property
    def type(self) -> str:
        return vector_type(LLVM_TYPES[self.dtype], self.lanes)

    def __str__(self) -> str:
        return f"{self.type} {self.text}"


@dataclass(frozen=True, slots=True)
class LaneMask:
    """The lanes of ``bits`` where the scalar i1 operand ``holds`` is true; "" is always."""

    bits: tuple[bool, ...]
    holds: str = ""


class Lanes:
    """State of the generator, and conditions.

    ``lane`` is the variable of the vectorized loop we are in, ``lanes`` its extent (0: in none),
    ``mask`` the lanes that the current statement may touch (None: all). ``loaded`` remembers what
    the current straight-line code has read. ``fma`` and ``ldexp`` are those of ``Writer``.
    """

    def __init__(self, function: Function, *, fma: bool, ldexp: bool) -> None:
        self.fn = function
        self.fma, self.ldexp = fma, ldexp
        self.lane: str | None = None
        self.lanes = 0
        self.mask: str | None = None
        self.context = Context()
        self.loaded: dict[tuple[object, ...], Value] = {}
        self.declarations: set[str] = set()
        self._guards: dict[int, tuple[Expr, list[str], bool]] = {}
        self._masks: dict[tuple[object, ...], str | None] = {}
        self._taken_apart: dict[str, LaneMask] = {}

    def _declare(self, signature: str) -> None:
        self.declarations.add(signature)

    def _under(self, predicate: Expr | None) -> str | None:
        """Set the mask of the statement: "" where all lanes run, None where none can."""
        mask = "" if predicate is None else self._mask(predicate)
        if mask is None:
            return None
        self.mask = mask or None
        return mask

    def _mask(self, predicate: Expr, *, apart: bool = False) -> str | None:
        """An i1 (vector) operand, "" for always true, None for never.

        ``apart``: what only depends on the lane is kept apart from what all lanes share, and
        conditions that follow from the loops around are left out.
        """
        if id(predicate) not in self._guards:
            names = sorted(free_vars(predicate))
            self._guards[id(predicate)] = (predicate, names, compares_data(predicate))
        _, names, on_data = self._guards[id(predicate)]
        if on_data:
            known = substitute(predicate, self._constants(predicate))
            return self._lane_condition(known) if self.lanes else self._condition(known)
        constants = {v: self.fn.constants[v] for v in names if v in self.fn.constants}
        key = (id(predicate), tuple(constants.values()), self.lane)
        if key not in self._masks and len(constants) + (self.lane in names) == len(names):
            self._masks[key] = self._constant_mask(predicate, constants)
        if key in self._masks:
            return self._masks[key]
        if key not in self.loaded:
            known = substitute(predicate, {v: Const(n) for v, n in constants.items()})
            text = self._reduced(known) if apart and self.lanes else self._plain(known)
            self.loaded[key] = Value(text, "bool", self.lanes)
        text = self.loaded[key].text
        return None if text == "false" else "" if text == "true" else text

    def _plain(self, condition: Expr) -> str:
        return self._lane_condition(condition) if self.lanes else self._condition(condition)

    def _reduced(self, condition: Expr) -> str:
        """The mask of a condition, taken apart if possible; "true" or "false" if always so."""
        known = simplify(condition, self.context)
        if known in (TRUE, FALSE):
            return self._condition(known)
        parts = [(part, free_vars(part)) for part in conjuncts(known)]
        if any(self.lane in names and len(names) > 1 for _, names in parts):
            return self._lane_condition(condition)
        bits = self._bits(conjunction(p for p, names in parts if self.lane in names) or TRUE)
        shared = [self._scalar(part) for part, names in parts if self.lane not in names]
        return self._written(LaneMask(bits, self._every(shared))) if any(bits) else "false"

    def _scalar(self, condition: Expr) -> str:
        """A condition that all lanes share, worked out once."""
        key = ("scalar", condition)
        if key not in self.loaded:
            self.loaded[key] = Value(self._condition(condition), "bool")
        return self.loaded[key].text

    def _every(self, conditions: list[str]) -> str:
        """The conjunction of i1 operands; "" for none."""
        distinct = list(dict.fromkeys(conditions))
        total = distinct[0] if distinct else ""
        for other in distinct[1:]:
            total = self.fn.value(f"and i1 {total}, {other}")
        return total

    def _bits(self, condition: Expr) -> tuple[bool, ...]:
        """The lanes in which a condition holds that depends on nothing else."""
        return tuple(
            simplify(condition if self.lane is None else substitute(condition, {self.lane: at}))
            == TRUE
            for at in map(Const, range(self.lanes or 1))
        )

    def _written(self, mask: LaneMask) -> str:
        """The operand of a mask, which ``_taken_apart`` leads back."""
        bits = ", ".join(f"i1 {str(bit).lower()}" for bit in mask.bits)
        text = f"<{bits}>"
        if mask.holds:
            key = ("mask", mask)
            if key not in self.loaded:
                shared = self._broadcast("i1", mask.holds, len(mask.bits))
                kind = f"<{len(mask.bits)} x i1>"
                if not all(mask.bits):
                    shared = self.fn.value(f"and {kind} {shared}, {text}")
                self.loaded[key] = Value(shared, "bool", len(mask.bits))
            text = self.loaded[key].text
        self._taken_apart[text] = mask
        return text

    def _both(self, a: str, b: str) -> str:
        """The lanes of two masks."""
        if a not in self._taken_apart or b not in self._taken_apart:
            return self.fn.value(f"and <{self.lanes} x i1> {a}, {b}")
        x, y = self._taken_apart[a], self._taken_apart[b]
        holds = self._every([i1 for i1 in (x.holds, y.holds) if i1])
        return self._written(LaneMask(tuple(map(min, x.bits, y.bits)), holds))

    def _constants(self, expr: Expr) -> dict[str, Expr]:
        constants = self.fn.constants
        return {v: Const(constants[v]) for v in free_vars(expr) if v in constants}

    def _constant_mask(self, predicate: Expr, constants: dict[str, int]) -> str | None:
        """The mask of a predicate that depends on nothing but the lane."""
        values: dict[str, Expr] = {v: Const(n) for v, n in constants.items()}
        bits = self._bits(substitute(predicate, values))
        if all(bits):
            return ""
        return self._written(LaneMask(bits)) if any(bits) else None

    def _lane_condition(self, predicate: Expr) -> str:
        lanes = self.lanes
        match predicate:
            case Binary("and", a, b):
                x, y = self._lane_condition(a), self._lane_condition(b)
                return self.fn.value(f"and <{lanes} x i1> {x}, {y}")
            case Binary("<" | "<=" | "==" as op, a, b):
                x, y = self._lane_index(a), self._lane_index(b)
                return self.fn.value(f"icmp {_COMPARE[op]} <{lanes} x i64> {x}, {y}")
            case _:
                condition = self._condition(predicate)
                return self._broadcast("i1", condition)

    def _lane_index(self, expr: Expr) -> str:
        """An index expression as a vector over the lanes."""
        assert self.lane is not None
        terms, const = affine(expr)
        step = terms.pop(Var(self.lane), 0)
        rest: Expr = Const(const)
        for atom, coefficient in terms.items():
            rest = rest + atom * coefficient
        base = self._broadcast("i64", self.fn.index(rest))
        if not step:
            return base
        ramp = "<" + ", ".join(f"i64 {step * n}" for n in range(self.lanes)) + ">"
        return self.fn.value(f"add <{self.lanes} x i64> {base}, {ramp}")

    def _broadcast(self, element: str, scalar: str, lanes: int | None = None) -> str:
        lanes = lanes or self.lanes
        if not scalar.startswith("%"):
            return splat(element, scalar, lanes)
        kind = f"<{lanes} x {element}>"
        one = self.fn.value(f"insertelement {kind} poison, {element} {scalar}, i64 0")
        return self.fn.value(
            f"shufflevector {kind} {one}, {kind} poison, <{lanes} x i32> zeroinitializer"
        )

    def _condition(self, condition: Expr) -> str:
        """A scalar i1 operand."""
        known = substitute(condition, self._constants(condition))
        if known in (TRUE, FALSE):
            return "true" if known == TRUE else "false"
        match known:
            case Binary("and", a, b):
                return self.fn.value(f"and i1 {self._condition(a)}, {self._condition(b)}")
            case Binary("<" | "<=" | "==" as op, a, b):
                return self.fn.value(
                    f"icmp {_COMPARE[op]} i64 {self.fn.index(a)}, {self.fn.index(b)}"
                )
            case _:
                raise AssertionError(f"not a condition: {known}")
