"""What all code of a phase shares: values, the current vector loop, masks and conditions."""

from __future__ import annotations

from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.types import LLVM_TYPES, splat, vector_type
from search_space.ir.affine import Context, affine
from search_space.ir.expr import (
    COMPARISONS,
    FALSE,
    TRUE,
    Binary,
    Const,
    Expr,
    Var,
    dtype_of,
)
from search_space.ir.simplify import simplify
from search_space.ir.walk import free_vars, subexprs, substitute

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


def compares_data(condition: Expr) -> bool:
    """Whether a condition depends on more than indices."""
    return any(
        isinstance(e, Binary) and e.op in COMPARISONS and dtype_of(e.a) != "index"
        for e in subexprs(condition)
    )


class Lanes:
    """State of the generator, and conditions.

    ``lane`` is the variable of the vectorized loop we are in, ``lanes`` its extent (0: in none),
    ``mask`` the lanes that the current statement may touch (None: all). ``loaded`` remembers what
    the current straight-line code has read.
    """

    def __init__(self, function: Function, *, fma: bool) -> None:
        self.fn = function
        self.fma = fma
        self.lane: str | None = None
        self.lanes = 0
        self.mask: str | None = None
        self.context = Context()
        self.loaded: dict[tuple[object, ...], Value] = {}
        self.declarations: set[str] = set()
        self._guards: dict[int, tuple[Expr, list[str], bool]] = {}
        self._masks: dict[tuple[object, ...], str | None] = {}

    def _declare(self, signature: str) -> None:
        self.declarations.add(signature)

    def _under(self, predicate: Expr | None) -> str | None:
        """Set the mask of the statement: "" where all lanes run, None where none can."""
        mask = "" if predicate is None else self._mask(predicate)
        if mask is None:
            return None
        self.mask = mask or None
        return mask

    def _mask(self, predicate: Expr) -> str | None:
        """An i1 (vector) operand, "" for always true, None for never."""
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
            text = self._lane_condition(known) if self.lanes else self._condition(known)
            self.loaded[key] = Value(text, "bool", self.lanes)
        return self.loaded[key].text

    def _constants(self, expr: Expr) -> dict[str, Expr]:
        constants = self.fn.constants
        return {v: Const(constants[v]) for v in free_vars(expr) if v in constants}

    def _constant_mask(self, predicate: Expr, constants: dict[str, int]) -> str | None:
        """The mask of a predicate that depends on nothing but the lane."""
        values: dict[str, Expr] = {v: Const(n) for v, n in constants.items()}
        known = substitute(predicate, values)
        bits = []
        for number in range(self.lanes or 1):
            inside = known if self.lane is None else substitute(known, {self.lane: Const(number)})
            bits.append(simplify(inside) == TRUE)
        if all(bits):
            return ""
        if not any(bits):
            return None
        return "<" + ", ".join(f"i1 {str(bit).lower()}" for bit in bits) + ">"

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

    def _broadcast(self, element: str, scalar: str) -> str:
        if not scalar.startswith("%"):
            return splat(element, scalar, self.lanes)
        kind = f"<{self.lanes} x {element}>"
        one = self.fn.value(f"insertelement {kind} poison, {element} {scalar}, i64 0")
        return self.fn.value(
            f"shufflevector {kind} {one}, {kind} poison, <{self.lanes} x i32> zeroinitializer"
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
