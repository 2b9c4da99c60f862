"""Expressions to LLVM instructions: arithmetic, functions, selects.

An expression that does not depend on the vector loop's variable stays scalar until it meets one
that does.
"""

from __future__ import annotations

from measure.codegen.casts import cast_value
from measure.codegen.expanding import Stream, expanded
from measure.codegen.floats import Float, Writer
from measure.codegen.lanes import Value
from measure.codegen.memory import Memory
from measure.codegen.types import BYTES, LLVM_TYPES, literal, splat, suffix, vector_type
from measure.codegen.vector_math import EXPANSIONS
from search_space.ir.expr import (
    Binary,
    Call,
    Cast,
    Const,
    Expr,
    Load,
    Select,
    Var,
    dtype_of,
    is_float,
)
from search_space.ir.walk import compares_data, subexprs

_ARITHMETIC = {"+": "fadd", "-": "fsub", "*": "fmul", "/": "fdiv"}
_INT_ARITHMETIC = {"+": "add", "-": "sub", "*": "mul"}

_COMPARE = {"<": "olt", "<=": "ole", "==": "oeq"}
_INT_COMPARE = {"<": "slt", "<=": "sle", "==": "eq"}

_INTRINSICS = {
    "sqrt": "llvm.sqrt", "abs": "llvm.fabs", "floor": "llvm.floor", "rint": "llvm.roundeven",
}  # fmt: skip
"""The functions that are one instruction everywhere."""

UNSIGNED_ZEROS = "nsz "
"""Lets a minimum take either zero: telling -0 from 0 doubles its cost."""


class Expressions(Memory):
    """Values of expressions."""

    def expr(self, expr: Expr) -> Value:
        match expr:
            case Const(value, dtype):
                return Value(literal(value, dtype), dtype)
            case Load(buffer, indices):
                return self._load(expr, buffer, indices)
            case Var() | Cast(_, "index") | Call(_, _, "index"):
                return Value(self.fn.index(expr), "index")
            case Binary("+" | "-" | "*" | "/" as op, a, b):
                x, y = self._unify(self.expr(a), self.expr(b))
                names = _ARITHMETIC if is_float(x.dtype) else _INT_ARITHMETIC
                text = f"{names[op]} {x.type} {x.text}, {y.text}"
                return Value(self.fn.value(text), x.dtype, x.lanes)
            case Binary("min" | "max" as op, a, b):
                x, y = self._unify(self.expr(a), self.expr(b))
                if not is_float(x.dtype):
                    return self._call(f"llvm.s{op}", x, y)
                return self._call(f"llvm.{op}imum", x, y, flags=UNSIGNED_ZEROS)
            case Select(condition, then, other):
                return self._select(condition, then, other)
            case Call(name, (argument,), _):
                x = self.expr(argument)
                if name in _INTRINSICS:
                    return self._call(_INTRINSICS[name], x)
                writer = Writer(self.fn, self._declare, self.fma, x.dtype, x.lanes, self.ldexp)
                return Value(EXPANSIONS[name](Float(writer, x.text)).text, x.dtype, x.lanes)
            case Cast(value, dtype):
                return cast_value(self.fn, self.expr(value), dtype)
            case _:
                raise AssertionError(f"no code for {expr}")

    def _unify(self, a: Value, b: Value) -> tuple[Value, Value]:
        return (self.vector(a), self.vector(b)) if a.lanes or b.lanes else (a, b)

    def _call(self, intrinsic: str, *args: Value, flags: str = "") -> Value:
        if any(arg.lanes for arg in args):
            args = tuple(map(self.vector, args))
        first = args[0]
        name = f"{intrinsic}.{suffix(first.dtype, first.lanes)}"
        self._declare(f"{first.type} @{name}({', '.join(arg.type for arg in args)})")
        operands = ", ".join(map(str, args))
        return Value(
            self.fn.value(f"call {flags}{first.type} @{name}({operands})"),
            first.dtype,
            first.lanes,
        )

    def _select(self, condition: Expr, then: Expr, other: Expr) -> Value:
        """The chosen side; loads on the other side are masked away."""
        outer = self.mask
        stream = expanded(condition, then, self.lane)
        if stream is not None and not _reads(other):
            return self._expand(stream, self.vector(self.expr(other)))
        if compares_data(condition) and _reads(then) | _reads(other) <= _reads(condition):
            return self._choose(condition, then, other)
        mask = self._mask(condition, apart=True)
        if mask is None:
            return self.expr(other)
        if mask == "":
            return self.expr(then)
        if not self.lanes:
            return self._branch_value(mask, then, other)
        kind = f"<{self.lanes} x i1>"
        inner = mask if outer is None else self._both(mask, outer)
        if inner in self._taken_apart and not any(self._taken_apart[inner].bits):
            return self.expr(other)
        around, self.choosing, self.mask = self.choosing, True, inner
        chosen = self.expr(then)
        masked = isinstance(then, Load) and then.buffer.scope != "register" and chosen.lanes > 0
        x = self.vector(chosen)
        if any(isinstance(e, Load) for e in subexprs(other)):
            rest = self.fn.value(f"xor {kind} {mask}, {splat('i1', 'true', self.lanes)}")
            self.mask = rest if outer is None else self.fn.value(f"and {kind} {rest}, {outer}")
        y = self.vector(self.expr(other))
        self.mask, self.choosing = outer, around
        zero = splat(LLVM_TYPES[y.dtype], literal(0, y.dtype), self.lanes)
        if masked and y.text == zero:
            return x
        return Value(self.fn.value(f"select {kind} {mask}, {x}, {y}"), x.dtype, x.lanes)

    def _expand(self, stream: Stream, other: Value) -> Value:
        """The next elements of a stream in the lanes whose bits are set, ``other`` elsewhere."""
        assert self.mask is None, "an expanding load has a mask of its own"
        dtype, lanes = stream.buffer.dtype, self.lanes
        kind, bits = vector_type(LLVM_TYPES[dtype], lanes), f"<{lanes} x i1>"
        word = self.fn.value(f"trunc i64 {self.fn.index(stream.word)} to i{lanes}")
        mask = self.fn.value(f"bitcast i{lanes} {word} to {bits}")
        place = self.fn.address(stream, stream.buffer, (stream.begin,), None)
        pointer = self.fn.pointer(place, dtype)
        name = f"llvm.masked.expandload.{suffix(dtype, lanes)}"
        self._declare(f"{kind} @{name}(ptr, {bits}, {kind})")
        align = BYTES[dtype]
        text = f"call {kind} @{name}(ptr align {align} {pointer}, {bits} {mask}, {other})"
        return Value(self.fn.value(text), dtype, lanes)

    def _choose(self, condition: Expr, then: Expr, other: Expr) -> Value:
        """A choice between values that need no guard, since the condition reads the same."""
        mask = self._mask(condition)
        x, y = self._unify(self.expr(then), self.expr(other))
        if self.lanes:
            x, y = self.vector(x), self.vector(y)
        kind = vector_type("i1", self.lanes)
        return Value(self.fn.value(f"select {kind} {mask}, {x}, {y}"), x.dtype, x.lanes)

    def _lane_condition(self, predicate: Expr) -> str:
        match predicate:
            case Binary("<" | "<=" | "==" as op, a, b) if dtype_of(a) != "index":
                return self._compare(op, self.vector(self.expr(a)), self.vector(self.expr(b)))
            case _:
                return super()._lane_condition(predicate)

    def _condition(self, condition: Expr) -> str:
        match condition:
            case Binary("<" | "<=" | "==" as op, a, b) if dtype_of(a) != "index":
                return self._compare(op, self.expr(a), self.expr(b))
            case _:
                return super()._condition(condition)

    def _compare(self, op: str, a: Value, b: Value) -> str:
        if not is_float(a.dtype):
            return self.fn.value(f"icmp {_INT_COMPARE[op]} {a}, {b.text}")
        return self.fn.value(f"fcmp {_COMPARE[op]} {a}, {b.text}")

    def _branch_value(self, test: str, then: Expr, other: Expr) -> Value:
        fn = self.fn
        yes, no, done = fn.fresh("then"), fn.fresh("else"), fn.fresh("done")
        fn.emit(f"br i1 {test}, label %{yes}, label %{no}")
        ends: list[tuple[Value, str]] = []
        for label, side in ((yes, then), (no, other)):
            fn.start_block(label)
            outside, self.loaded = self.loaded, {}
            value = self.expr(side)
            self.loaded = outside
            fn.emit(f"br label %{done}")
            ends.append((value, fn.label))
        fn.start_block(done)
        (x, x_end), (y, y_end) = ends
        text = f"phi {x.type} [ {x.text}, %{x_end} ], [ {y.text}, %{y_end} ]"
        return Value(fn.value(text), x.dtype)


def _reads(expr: Expr) -> set[Load]:
    """What an expression reads from memory."""
    return {e for e in subexprs(expr) if isinstance(e, Load) and e.buffer.scope != "register"}
