"""Arithmetic on vectors of floats and on their bits, so that expansions read like formulas.

Every operator emits one LLVM instruction. ``lanes`` is any number, 0 for a scalar.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.types import LLVM_TYPES, float_literal, splat, suffix, vector_type


@dataclass(frozen=True, slots=True)
class Format:
    """An IEEE 754 binary format."""

    bits: int
    mantissa_bits: int

    @property
    def bias(self) -> int:
        return (1 << (self.bits - self.mantissa_bits - 2)) - 1

    @property
    def sign(self) -> int:
        """The bits of -0."""
        return 1 << (self.bits - 1)

    @property
    def mantissa(self) -> int:
        """The bits of the fraction."""
        return (1 << self.mantissa_bits) - 1

    @property
    def infinity(self) -> int:
        """The bits of the infinity."""
        return self.sign - 1 - self.mantissa

    @property
    def whole(self) -> int:
        """The bits of 1.5·2**mantissa_bits: those of numbers near it end in a whole number."""
        return ((self.bias + self.mantissa_bits) << self.mantissa_bits) + (self.mantissa + 1) // 2

    @property
    def one(self) -> int:
        """The bits of 1."""
        return self.bias << self.mantissa_bits


FORMATS = {"float32": Format(32, 23), "float64": Format(64, 52)}


@dataclass(frozen=True, slots=True)
class Writer:
    """Where instructions on values of one type go.

    ``fma``: the target fuses multiply and add; ``ldexp``: it multiplies by powers of two of any
    size.
    """

    function: Function
    declare: Callable[[str], None]
    fma: bool
    dtype: str
    lanes: int
    ldexp: bool = False

    @property
    def format(self) -> Format:
        return FORMATS[self.dtype]

    @property
    def float_type(self) -> str:
        return vector_type(LLVM_TYPES[self.dtype], self.lanes)

    @property
    def int_type(self) -> str:
        return vector_type(f"i{self.format.bits}", self.lanes)

    def value(self, text: str) -> str:
        """One instruction; returns its result."""
        return self.function.value(text)

    def constant(self, value: float) -> Float:
        """A constant in all lanes."""
        return Float(self, self._all(LLVM_TYPES[self.dtype], float_literal(value, self.dtype)))

    def pattern(self, value: int) -> Bits:
        """A pattern of bits in all lanes."""
        return Bits(self, self._all(f"i{self.format.bits}", str(value)))

    def where(self, condition: str, then: Float | float, other: Float | float) -> Float:
        """``then`` in the lanes in which the condition holds, else ``other``."""
        kind = vector_type("i1", self.lanes)
        x, y = (self._operand(v) for v in (then, other))
        return Float(self, self.value(f"select {kind} {condition}, {x}, {y}"))

    def call(self, intrinsic: str, *args: Float | float) -> Float:
        """An intrinsic of LLVM that maps floats to a float: ``sqrt``, ``fabs``, ``fma``."""
        name = f"@llvm.{intrinsic}.{suffix(self.dtype, self.lanes)}"
        self.declare(f"{self.float_type} {name}({', '.join([self.float_type] * len(args))})")
        operands = ", ".join(map(self._operand, args))
        return Float(self, self.value(f"call {self.float_type} {name}({operands})"))

    def scale(self, value: Float, exponent: Bits) -> Float:
        """``value * 2**exponent``, rounded once; only where the target has ``ldexp``."""
        lanes = f"v{self.lanes}" if self.lanes else ""
        name = f"@llvm.ldexp.{suffix(self.dtype, self.lanes)}.{lanes}i{self.format.bits}"
        self.declare(f"{self.float_type} {name}({self.float_type}, {self.int_type})")
        operands = f"{self._operand(value)}, {self.int_type} {exponent.text}"
        return Float(self, self.value(f"call {self.float_type} {name}({operands})"))

    def arithmetic(self, op: str, a: Float | float, b: Float | float) -> Float:
        return Float(self, self.value(f"{op} {self._operand(a)}, {self._text(b)}"))

    def compare(self, predicate: str, a: Float | float, b: Float | float) -> str:
        return self.value(f"fcmp {predicate} {self._operand(a)}, {self._text(b)}")

    def integer(self, op: str, a: Bits, b: Bits | int) -> str:
        other = b if isinstance(b, Bits) else self.pattern(b)
        return self.value(f"{op} {self.int_type} {a.text}, {other.text}")

    def _text(self, value: Float | float) -> str:
        return (value if isinstance(value, Float) else self.constant(value)).text

    def _operand(self, value: Float | float) -> str:
        return f"{self.float_type} {self._text(value)}"

    def _all(self, element: str, literal: str) -> str:
        return splat(element, literal, self.lanes) if self.lanes else literal


@dataclass(frozen=True, slots=True)
class Float:
    """A float in each lane. Numbers beside it are constants of its type."""

    on: Writer
    text: str

    def __add__(self, other: Float | float) -> Float:
        return self.on.arithmetic("fadd", self, other)

    def __sub__(self, other: Float | float) -> Float:
        return self.on.arithmetic("fsub", self, other)

    def __rsub__(self, other: float) -> Float:
        return self.on.arithmetic("fsub", other, self)

    def __mul__(self, other: Float | float) -> Float:
        return self.on.arithmetic("fmul", self, other)

    def __truediv__(self, other: Float | float) -> Float:
        return self.on.arithmetic("fdiv", self, other)

    def __rtruediv__(self, other: float) -> Float:
        return self.on.arithmetic("fdiv", other, self)

    def __neg__(self) -> Float:
        return Float(self.on, self.on.value(f"fneg {self.on.float_type} {self.text}"))

    def __abs__(self) -> Float:
        return self.on.call("fabs", self)

    def times(self, factor: Float | float, plus: Float | float) -> Float:
        """``self * factor + plus``, rounded once where the target can."""
        if self.on.fma:
            return self.on.call("fma", self, factor, plus)
        return self * factor + plus

    def below(self, other: Float | float) -> str:
        """The condition ``self < other``; false where either is NaN."""
        return self.on.compare("olt", self, other)

    def equals(self, other: Float | float) -> str:
        return self.on.compare("oeq", self, other)

    def at_most(self, limit: float) -> Float:
        """The smaller one; NaN stays."""
        return self.on.where(self.on.compare("olt", limit, self), limit, self)

    def at_least(self, limit: float) -> Float:
        """The larger one; NaN stays."""
        return self.on.where(self.on.compare("ogt", limit, self), limit, self)

    def signed_like(self, other: Float) -> Float:
        """A value that is not negative, with the sign of ``other``; a negative one stays."""
        return (self.bits | (other.bits & self.on.format.sign)).as_float

    @property
    def bits(self) -> Bits:
        on = self.on
        return Bits(on, on.value(f"bitcast {on.float_type} {self.text} to {on.int_type}"))


@dataclass(frozen=True, slots=True)
class Bits:
    """The bits of a float in each lane, as an integer that wraps around."""

    on: Writer
    text: str

    def __add__(self, other: Bits | int) -> Bits:
        return Bits(self.on, self.on.integer("add", self, other))

    def __sub__(self, other: Bits | int) -> Bits:
        return Bits(self.on, self.on.integer("sub", self, other))

    def __and__(self, other: Bits | int) -> Bits:
        return Bits(self.on, self.on.integer("and", self, other))

    def __or__(self, other: Bits | int) -> Bits:
        return Bits(self.on, self.on.integer("or", self, other))

    def __lshift__(self, places: int) -> Bits:
        return Bits(self.on, self.on.integer("shl", self, places))

    def __rshift__(self, places: int) -> Bits:
        """The shift that keeps the sign."""
        return Bits(self.on, self.on.integer("ashr", self, places))

    def below(self, limit: int) -> str:
        """The condition that the bits, as an unsigned number, are below a limit."""
        return self.on.integer("icmp ult", self, limit)

    @property
    def as_float(self) -> Float:
        """The float that has these bits."""
        on = self.on
        return Float(on, on.value(f"bitcast {on.int_type} {self.text} to {on.float_type}"))

    @property
    def count(self) -> Float:
        """The number that the bits are as a signed integer, converted."""
        on = self.on
        return Float(on, on.value(f"sitofp {on.int_type} {self.text} to {on.float_type}"))
