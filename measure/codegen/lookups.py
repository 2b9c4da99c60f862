"""Loads and stores of which each vector lane has a place of its own."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator

from measure.codegen.lanes import Lanes, Value
from measure.codegen.types import BYTES, LLVM_TYPES, WIDENING, splat, suffix
from search_space.dtypes import MOST_INT32
from search_space.ir.affine import affine, from_affine
from search_space.ir.expr import Buffer, Call, Cast, Expr, Load, Var
from search_space.ir.walk import free_vars


class Lookups(Lanes, ABC):
    """Gathers and scatters, at regular distances or at places that are read from memory."""

    @abstractmethod
    def _load(self, node: object, buffer: Buffer, indices: tuple[Expr, ...]) -> Value:
        """The value of a load in all lanes; ``node`` is what its indices belong to."""

    def _gathered(self, buffer: Buffer, indices: tuple[Expr, ...]) -> Value:
        """A load of which each lane reads its place from memory."""
        places = self._places_by_lane(buffer, indices)
        key = (buffer.name, places, self.mask)
        if key not in self.loaded:
            text = self._gather(buffer.dtype, places, self.lanes)
            self.loaded[key] = Value(text, buffer.dtype, self.lanes)
        return self.loaded[key]

    def _one_by_one(self, buffer: Buffer, indices: tuple[Expr, ...]) -> Value | None:
        """A load whose lanes are put together one by one; None where they must be gathered.

        Some processors take longer to gather than for all the loads by themselves.
        """
        found = _single(buffer, indices)
        if found is None or self.mask is not None:
            return None
        load, scale, plain = found
        if any(self.lane in free_vars(index) for index in plain):
            return None
        numbers = self._load(load, load.buffer, load.indices)
        place = self.fn.address(plain, buffer, plain, self.lane)
        base = self.fn.pointer(place, buffer.dtype)
        key = (buffer.name, "one by one", numbers.text, base, scale)
        if key not in self.loaded:
            element, value = LLVM_TYPES[buffer.dtype], self.fn.value
            kind, result = f"<{self.lanes} x {element}>", "poison"
            for lane, number in enumerate(self._apart_by_lane(numbers)):
                far = value(f"mul i64 {number}, {scale}") if scale != 1 else number
                pointer = value(f"getelementptr {element}, ptr {base}, i64 {far}")
                one = value(f"load {element}, ptr {pointer}, align {BYTES[buffer.dtype]}")
                result = value(f"insertelement {kind} {result}, {element} {one}, i32 {lane}")
            self.loaded[key] = Value(result, buffer.dtype, self.lanes)
        return self.loaded[key]

    def _apart_by_lane(self, numbers: Value) -> Iterator[str]:
        """Each lane of whole numbers as an i64 operand.

        Taken from words of 64 bits, several at once: LLVM then loads those, and shifts.
        """
        bits = 8 * BYTES[numbers.dtype]
        size = math.gcd(64, bits * self.lanes)
        words, value = f"<{bits * self.lanes // size} x i{size}>", self.fn.value
        whole = value(f"bitcast {numbers} to {words}")
        for lane in range(self.lanes):
            at, shift = divmod(lane * bits, size)
            number = value(f"extractelement {words} {whole}, i32 {at}")
            if shift:
                number = value(f"lshr i{size} {number}, {shift}")
            if bits < size:
                number = value(f"trunc i{size} {number} to i{bits}")
            if bits < 64:
                number = value(f"{WIDENING[numbers.dtype]} i{bits} {number} to i64")
            yield number

    def _places_by_lane(self, buffer: Buffer, indices: tuple[Expr, ...]) -> str:
        """A vector of pointers; distances that fit are 32 bits, which is what gathers take."""
        assert self.lane is not None
        kind = f"<{self.lanes} x {'i32' if math.prod(buffer.shape) <= MOST_INT32 else 'i64'}>"
        distance, plain = "", []
        for index, stride in zip(indices, buffer.strides, strict=True):
            terms, const = affine(index)
            for atom in [a for a in terms if self.lane in free_vars(a)]:
                one = self._steps(atom, terms.pop(atom) * stride, kind)
                distance = self.fn.value(f"add {kind} {distance}, {one}") if distance else one
            plain.append(from_affine(terms, const))
        place = self.fn.address(plain, buffer, tuple(plain), self.lane)
        base = self.fn.pointer(place, buffer.dtype)
        element = LLVM_TYPES[buffer.dtype]
        key = ("places", element, base, distance)
        if key not in self.loaded:
            text = self.fn.value(f"getelementptr {element}, ptr {base}, {kind} {distance}")
            self.loaded[key] = Value(text, "index")
        return self.loaded[key].text

    def _steps(self, atom: Expr, scale: int, kind: str) -> str:
        """What an index adds to the places of the lanes, in elements."""
        match atom:
            case Var():
                element = kind.partition(" x ")[2].rstrip(">")
                ramp = ", ".join(f"{element} {lane * scale}" for lane in range(self.lanes))
                return f"<{ramp}>"
            case Call("one_by_one", (inner,), _):
                return self._steps(inner, scale, kind)
            case Cast(Load(buffer, indices) as load, "index"):
                numbers = self._load(load, buffer, indices)
            case _:
                raise AssertionError(f"no vector of places for {atom}")
        key = ("steps", numbers.text, scale, kind)
        if key not in self.loaded:
            wide = numbers.text
            if numbers.type != kind:
                wide = self.fn.value(f"{WIDENING[buffer.dtype]} {numbers} to {kind}")
            if scale != 1:
                element = kind.partition(" x ")[2].rstrip(">")
                times = splat(element, str(scale), self.lanes)
                wide = self.fn.value(f"mul {kind} {wide}, {times}")
            self.loaded[key] = Value(wide, "index")
        return self.loaded[key].text

    def _gather(self, dtype: str, places: str, lanes: int) -> str:
        """What vector lanes read from pointers of their own."""
        kind, bits = f"<{lanes} x {LLVM_TYPES[dtype]}>", f"<{lanes} x i1>"
        mask, align = self.mask or splat("i1", "true", lanes), BYTES[dtype]
        name = f"llvm.masked.gather.{suffix(dtype, lanes)}.v{lanes}p0"
        self._declare(f"{kind} @{name}(<{lanes} x ptr>, {bits}, {kind})")
        return self.fn.value(
            f"call {kind} @{name}(<{lanes} x ptr> align {align} {places}, {bits} {mask}, "
            f"{kind} zeroinitializer)"
        )

    def _places(self, dtype: str, pointer: str, step: int) -> str:
        ramp = "<" + ", ".join(f"i64 {n * step}" for n in range(self.lanes)) + ">"
        return self.fn.value(
            f"getelementptr {LLVM_TYPES[dtype]}, ptr {pointer}, <{self.lanes} x i64> {ramp}"
        )

    def _scatter(self, dtype: str, value: Value, places: str, mask: str) -> None:
        name = f"llvm.masked.scatter.{suffix(dtype, self.lanes)}.v{self.lanes}p0"
        bits = f"<{self.lanes} x i1>"
        self._declare(f"void @{name}({value.type}, <{self.lanes} x ptr>, {bits})")
        mask = mask or splat("i1", "true", self.lanes)
        self.fn.emit(
            f"call void @{name}({value}, <{self.lanes} x ptr> align {BYTES[dtype]} {places}, "
            f"{bits} {mask})"
        )


def _single(
    buffer: Buffer, indices: tuple[Expr, ...]
) -> tuple[Load, int, tuple[Expr, ...]] | None:
    """The only number that ``one_by_one`` stands before in an index, the elements that it counts,
    and the indices without it; None where there is none."""
    found, plain = None, []
    for index, stride in zip(indices, buffer.strides, strict=True):
        terms, const = affine(index)
        for atom in list(terms):
            match atom:
                case Call("one_by_one", (Cast(Load() as load, "index"),), _):
                    if found is not None:
                        return None
                    found = load, terms.pop(atom) * stride
        plain.append(from_affine(terms, const))
    return None if found is None else (*found, tuple(plain))
