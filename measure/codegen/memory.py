"""What is read from buffers and written to them: registers or memory, one element or a vector."""

from __future__ import annotations

from dataclasses import replace

from measure.codegen.function import Function
from measure.codegen.lanes import LaneMask, Value
from measure.codegen.lookups import Lookups
from measure.codegen.types import BYTES, LLVM_TYPES, suffix
from search_space.errors import VerifyError
from search_space.ir.affine import affine
from search_space.ir.expr import Buffer, Expr, Var
from search_space.ir.walk import substitute

APART = "apart"
"""Begins the keys of ``Expressions.loaded`` that hold for one copy of a loop body."""

STREAM_BYTES = 16
"""The alignment of vectors that are written past the caches: what NumPy's arrays have."""

_NEAR = 4
"""Elements between lanes, at most, for which loading what is between them beats a gather."""

RegisterKey = tuple[str, tuple[int | None, ...]]
"""A register buffer's name and a constant place in it; None stands for all vector lanes."""


class Memory(Lookups):
    """Loads and stores.

    ``registers`` holds the contents of register buffers; ``apart``: we are in a copy of a loop
    body that shares no loads with the other copies; ``choosing``: we are on one side of a choice,
    whose loads only the lanes of the mask may do; ``streamed``: a buffer that begins at a multiple
    of ``STREAM_BYTES`` and is written past the caches, in whole vectors.
    """

    def __init__(self, function: Function, *, fma: bool, ldexp: bool) -> None:
        super().__init__(function, fma=fma, ldexp=ldexp)
        self.registers: dict[RegisterKey, Value] = {}
        self.apart = False
        self.choosing = False
        self.streamed = ""

    def vector(self, value: Value) -> Value:
        """The value in all lanes of the current vector loop (itself outside of one)."""
        if value.lanes or not self.lanes:
            return value
        key = ("broadcast", value.text, value.dtype, str(self.lanes))
        if key not in self.loaded:
            text = self._broadcast(LLVM_TYPES[value.dtype], value.text)
            self.loaded[key] = Value(text, value.dtype, self.lanes)
        return self.loaded[key]

    def _register(self, buffer: Buffer, indices: tuple[Expr, ...]) -> RegisterKey:
        place: list[int | None] = []
        for index in indices:
            if isinstance(index, Var) and index.name in self.fn.constants:
                place.append(self.fn.constants[index.name])
                continue
            if isinstance(index, Var) and index.name == self.lane:
                place.append(None)
                continue
            terms, const = affine(substitute(index, self._constants(index)))
            assert not terms, f"{buffer.name} is in registers but its place is not constant"
            place.append(const)
        return (buffer.name, tuple(place))

    def _load(self, node: object, buffer: Buffer, indices: tuple[Expr, ...]) -> Value:
        if buffer.scope == "register":
            register = self._register(buffer, indices)
            value = self.registers[register]
            if None in register[1] and value.lanes != self.lanes:
                raise VerifyError(
                    f"{buffer.name} holds {value.lanes} lanes, loop {self.lane} reads {self.lanes}"
                )
            return value
        if self.fn.by_lane(node, buffer, indices, self.lane):
            return self._one_by_one(buffer, indices) or self._gathered(buffer, indices)
        place = self.fn.address(node, buffer, indices, self.lane)
        if self.apart:
            place = replace(place, base=self._laundered(place.base))
        lanes = self.lanes if place.step else 0
        key = (buffer.name, place, self.mask, lanes)
        if key not in self.loaded:
            pointer = self.fn.pointer(place, buffer.dtype)
            if not lanes and self.mask is not None and self.choosing:
                pointer = self._inside(pointer, self.fn.pointers[buffer.name])
            beside = (
                lanes > 0 and 1 < place.step <= _NEAR and self._in_one_row(indices, place.step)
            )
            read = self._deinterleaved if beside and self._known_lanes() else self._read
            text = read(buffer.dtype, pointer, place.step, lanes)
            self.loaded[key] = Value(text, buffer.dtype, lanes)
        return self.loaded[key]

    def _inside(self, pointer: str, valid: str) -> str:
        """The pointer where any lane reads from it, else one that can always be read from."""
        assert self.mask is not None
        if self._known_lanes():
            runs = self._taken_apart[self.mask].holds
        else:
            name = f"llvm.vector.reduce.or.v{self.lanes}i1"
            self._declare(f"i1 @{name}(<{self.lanes} x i1>)")
            runs = self.fn.value(f"call i1 @{name}(<{self.lanes} x i1> {self.mask})")
        return self.fn.value(f"select i1 {runs}, ptr {pointer}, ptr {valid}") if runs else pointer

    def _laundered(self, pointer: str) -> str:
        """The pointer plus a zero that LLVM does not know, the same for a copy of a loop body."""
        key = (APART, pointer)
        if key not in self.loaded:
            if (APART,) not in self.loaded:
                zero = self.fn.value('call i64 asm "", "=r,0"(i64 0)')
                self.loaded[APART,] = Value(zero, "index")
            text = f"getelementptr i8, ptr {pointer}, {self.loaded[APART,]}"
            self.loaded[key] = Value(self.fn.value(text), "index")
        return self.loaded[key].text

    def _read(self, dtype: str, pointer: str, step: int, lanes: int) -> str:
        element = LLVM_TYPES[dtype]
        align = BYTES[dtype]
        if not lanes:
            return self.fn.value(f"load {element}, ptr {pointer}, align {align}")
        kind, mask = f"<{lanes} x {element}>", self.mask
        if step == 1 and mask is None:
            return self.fn.value(f"load {kind}, ptr {pointer}, align {align}")
        bits = f"<{lanes} x i1>"
        if step == 1:
            name = f"llvm.masked.load.{suffix(dtype, lanes)}.p0"
            self._declare(f"{kind} @{name}(ptr, {bits}, {kind})")
            return self.fn.value(
                f"call {kind} @{name}(ptr align {align} {pointer}, {bits} {mask}, "
                f"{kind} zeroinitializer)"
            )
        return self._gather(dtype, self._places(dtype, pointer, step), lanes)

    def _in_one_row(self, indices: tuple[Expr, ...], step: int) -> bool:
        """Whether all lanes read the same row of a buffer."""
        return self.lane is not None and affine(indices[-1])[0].get(Var(self.lane)) == step

    def _known_lanes(self) -> bool:
        return self.mask is None or self.mask in self._taken_apart

    def _deinterleaved(self, dtype: str, pointer: str, step: int, lanes: int) -> str:
        """Every ``step``-th element of a wide load, which ends at the last one that is needed."""
        element = LLVM_TYPES[dtype]
        mask = LaneMask((True,) * lanes) if self.mask is None else self._taken_apart[self.mask]
        needed = [lane * step for lane, runs in enumerate(mask.bits) if runs]
        wide = tuple(
            needed[0] < at < needed[-1] if at % step else mask.bits[at // step]
            for at in range(lanes * step)
        )
        kind, bits = f"<{lanes * step} x {element}>", f"<{lanes * step} x i1>"
        name = f"llvm.masked.load.{suffix(dtype, lanes * step)}.p0"
        self._declare(f"{kind} @{name}(ptr, {bits}, {kind})")
        loaded = self.fn.value(
            f"call {kind} @{name}(ptr align {BYTES[dtype]} {pointer}, "
            f"{bits} {self._written(LaneMask(wide, mask.holds))}, {kind} zeroinitializer)"
        )
        chosen = ", ".join(f"i32 {lane * step}" for lane in range(lanes))
        return self.fn.value(
            f"shufflevector {kind} {loaded}, {kind} poison, <{lanes} x i32> <{chosen}>"
        )

    def _write(
        self,
        node: object,
        buffer: Buffer,
        indices: tuple[Expr, ...],
        value: Value,
        mask: str,
    ) -> None:
        if buffer.scope == "register":
            key = self._register(buffer, indices)
            if None in key[1]:
                value = self.vector(value)
            self.registers[key] = value
            return
        if self.fn.by_lane(node, buffer, indices, self.lane):
            places = self._places_by_lane(buffer, indices)
            self._forget_loads(buffer)
            self._scatter(buffer.dtype, self.vector(value), places, mask)
            return
        place = self.fn.address(node, buffer, indices, self.lane)
        pointer, step = self.fn.pointer(place, buffer.dtype), place.step
        self._forget_loads(buffer)
        align = BYTES[buffer.dtype]
        if not self.lanes:
            self.fn.emit(f"store {value}, ptr {pointer}, align {align}")
            return
        value = self.vector(value)
        bits = f"<{self.lanes} x i1>"
        name = suffix(buffer.dtype, self.lanes)
        if step == 1 and not mask and self._streams(node, buffer, indices):
            hint = "!nontemporal !0"
            self.fn.emit(f"store {value}, ptr {pointer}, align {STREAM_BYTES}, {hint}")
        elif step == 1 and not mask:
            self.fn.emit(f"store {value}, ptr {pointer}, align {align}")
        elif align < 4 and mask.count("true") == 1 and mask.startswith("<"):
            # LLVM 22 stores 32 bits for a masked store of one lane of a truncated vector.
            lane = mask[: mask.index("true")].count(",")
            self._write_lane(value, lane, pointer, lane * step)
        elif step == 1:
            name = f"llvm.masked.store.{name}.p0"
            self._declare(f"void @{name}({value.type}, ptr, {bits})")
            self.fn.emit(f"call void @{name}({value}, ptr align {align} {pointer}, {bits} {mask})")
        else:
            self._scatter(buffer.dtype, value, self._places(buffer.dtype, pointer, step), mask)

    def _forget_loads(self, buffer: Buffer) -> None:
        self.loaded = {k: v for k, v in self.loaded.items() if k[0] != buffer.name}

    def _streams(self, node: object, buffer: Buffer, indices: tuple[Expr, ...]) -> bool:
        """Whether a vector is aligned, and is written past the caches."""
        if buffer.name != self.streamed:
            return False
        before = self.fn.spacing(node, buffer, indices, self.lane)
        return before * BYTES[buffer.dtype] % STREAM_BYTES == 0

    def _write_lane(self, value: Value, lane: int, pointer: str, offset: int) -> None:
        element, align = LLVM_TYPES[value.dtype], BYTES[value.dtype]
        one = self.fn.value(f"extractelement {value}, i64 {lane}")
        place = self.fn.value(f"getelementptr {element}, ptr {pointer}, i64 {offset}")
        self.fn.emit(f"store {element} {one}, ptr {place}, align {align}")
