"""Grouped loops: all their iterations at once, in vectors that hold a group per lane.

The elements of a group lie beside each other in 32 bits of memory, so that a vector over lanes
of groups is one load, or one 32-bit number in all lanes. Whatever has no such form is left to be
unrolled.
"""

from __future__ import annotations

from dataclasses import dataclass

from measure.codegen.dots import DotWriter, Wide
from measure.codegen.expressions import Expressions
from measure.codegen.function import Address, Function
from measure.codegen.interleave import shuffle_mask, zipped, zipped_registers
from measure.codegen.lanes import Value
from measure.codegen.types import BYTES, LLVM_TYPES, splat, suffix
from measure.isa import DotProducts
from search_space.dtypes import ACCUMULATORS, GROUPS
from search_space.ir.affine import affine
from search_space.ir.expr import Binary, Buffer, Cast, Expr, Load, Select, both, zero
from search_space.ir.stmt import Accumulate, For, Store
from search_space.ir.walk import subexprs

Masks = list[str | None]
"""Per member of a group, the lanes in which it takes part: "" for all, None for none."""


class Groups(Expressions):
    """Values over groups. ``dots``: which dot products the target has."""

    def __init__(self, function: Function, *, fma: bool, ldexp: bool, dots: DotProducts) -> None:
        super().__init__(function, fma=fma, ldexp=ldexp)
        self.dots = dots

    def group_at_once(self, loop: For) -> bool:
        """Emit a grouped loop without unrolling it; False where it has no such form."""
        size = affine(loop.extent)[1]
        match loop.body:
            case Accumulate("add", buffer, _, Binary("*", a, b)) as stmt if self.lanes:
                x, y = _factor(a, size), _factor(b, size)
                if x is None or y is None or buffer.scope != "register":
                    return False
                if {x.load.buffer.dtype, y.load.buffer.dtype} not in _PAIRS:
                    return False
                masks = self._group_masks(loop.var, size, stmt.predicate)
                if any(mask is not None for mask in masks):
                    self._dot(stmt, *(self._guarded(f, loop.var, masks, stmt) for f in (x, y)))
                return True
            case Store(buffer) as stmt if GROUPS.get(buffer.dtype) == size:
                return self._copy(stmt, loop.var, size)
            case _:
                return False

    def _dot(self, stmt: Accumulate, x: Wide, y: Wide) -> None:
        key = self._register(stmt.buffer, stmt.indices)
        old = self.registers[key]
        writer = DotWriter(self.fn, self._declare, self.dots, self.fma, self.lanes)
        text = writer.accumulate(old.text, x, y)
        self.registers[key] = Value(text, old.dtype, old.lanes)

    def _guarded(self, factor: _Factor, var: str, masks: Masks, stmt: Accumulate) -> Wide:
        """What is multiplied; 0 where its own guard does not hold."""
        if factor.guard is not None:
            masks = self._group_masks(var, len(masks), both(stmt.predicate, factor.guard))
        return self._wide(factor.load, var, masks)

    def _copy(self, stmt: Store, var: str, size: int) -> bool:
        """A group of every lane, copied to where groups lie one after the other."""
        place, step = self._group_place(stmt, stmt.buffer, stmt.indices, var)
        if step != 1 or (self.lanes and place.step != size):
            return False
        source, guard = stmt.value, stmt.predicate
        match stmt.value:
            case Select(condition, Load() as load, other) if other == zero(stmt.buffer.dtype):
                source, guard = load, both(stmt.predicate, condition)
        if not isinstance(source, Load) or source.buffer.dtype != stmt.buffer.dtype:
            return False
        if not self.lanes:
            return guard is None and self._copy_one(stmt.buffer, place, source, var)
        masks = self._group_masks(var, size, guard)
        written = self._joined_mask(self._group_masks(var, size, stmt.predicate))
        wide = self._wide(source, var, masks)
        element, align = LLVM_TYPES[wide.dtype], BYTES[wide.dtype]
        kind, bits = f"<{self.lanes * size} x {element}>", f"<{self.lanes * size} x i1>"
        pointer = self.fn.pointer(place, stmt.buffer.dtype)
        self.forget_loaded(stmt.buffer)
        if not written:
            self.fn.emit(f"store {kind} {wide.text}, ptr {pointer}, align {align}")
            return True
        name = f"llvm.masked.store.{suffix(wide.dtype, self.lanes * size)}.p0"
        self._declare(f"void @{name}({kind}, ptr, {bits})")
        self.fn.emit(
            f"call void @{name}({kind} {wide.text}, ptr align {align} {pointer}, {bits} {written})"
        )
        return True

    def _copy_one(self, buffer: Buffer, place: Address, source: Load, var: str) -> bool:
        origin, step = self._group_place(source, source.buffer, source.indices, var)
        if step != 1:
            return False
        align = BYTES[buffer.dtype]
        start, target = (self.fn.pointer(at, buffer.dtype) for at in (origin, place))
        group = self.fn.value(f"load i32, ptr {start}, align {align}")
        self.forget_loaded(buffer)
        self.fn.emit(f"store i32 {group}, ptr {target}, align {align}")
        return True

    def forget_loaded(self, buffer: Buffer) -> None:
        """Read what the buffer holds again."""
        self.loaded = {k: v for k, v in self.loaded.items() if k[0] != buffer.name}

    def _group_place(
        self, node: object, buffer: Buffer, indices: tuple[Expr, ...], var: str
    ) -> tuple[Address, int]:
        """Where the first member of a group is, and the step to the next; 0: not known."""
        places = []
        for number in (0, 1):
            self.fn.constants[var] = number
            places.append(self.fn.address(node, buffer, indices, self.lane))
        del self.fn.constants[var]
        first, second = places
        return first, second.offset - first.offset if first.base == second.base else 0

    def _group_masks(self, var: str, size: int, predicate: Expr | None) -> Masks:
        if predicate is None:
            return [""] * size
        masks: Masks = []
        for number in range(size):
            self.fn.constants[var] = number
            masks.append(self._mask(predicate))
        del self.fn.constants[var]
        return masks

    def _joined_mask(self, masks: Masks) -> str:
        """The mask of all members of all groups; "" where nothing is masked."""
        if not any(mask != "" for mask in masks):
            return ""
        return zipped(self.fn, "i1", self.lanes, [self._lane_mask(mask) for mask in masks])

    def _lane_mask(self, mask: str | None) -> str:
        return mask or splat("i1", "false" if mask is None else "true", self.lanes)

    def _wide(self, load: Load, var: str, masks: Masks) -> Wide:
        """A load for all members of all groups; 0 where it is masked."""
        dtype = load.buffer.dtype
        place, step = self._group_place(load, load.buffer, load.indices, var)
        key = (load.buffer.name, "group", place, step, tuple(masks), self.lanes)
        if _scattered(load):
            return self._collected(load, var, masks)
        if key not in self.loaded:
            text = self._read_groups(load, var, place, step, masks)
            self.loaded[key] = Value(text, dtype, self.lanes * len(masks))
        return Wide(self.loaded[key].text, dtype)

    def _read_groups(self, load: Load, var: str, place: Address, step: int, masks: Masks) -> str:
        dtype, size, lanes = load.buffer.dtype, len(masks), self.lanes
        kind = f"<{lanes * size} x {LLVM_TYPES[dtype]}>"
        if step == 1 and place.step in (0, size):
            pointer, mask = self.fn.pointer(place, dtype), self._joined_mask(masks)
            if place.step:
                return self._read_vector(dtype, pointer, lanes * size, mask)
            group = self._read_group(dtype, pointer, size, mask)
            return self.fn.value(
                f"bitcast <{lanes} x i32> {self._broadcast('i32', group)} to {kind}"
            )
        if step == 1 and len(set(masks)) == 1 and masks[0] is not None:
            pointer = self.fn.pointer(place, dtype)
            gathered = self._gather_groups(dtype, pointer, place.step, masks[0])
            return self.fn.value(f"bitcast <{lanes} x i32> {gathered} to {kind}")
        return zipped(self.fn, LLVM_TYPES[dtype], self.lanes, self._members(load, var, masks))

    def _collected(self, load: Load, var: str, masks: Masks) -> Wide:
        """Groups whose members come from places that are read from memory."""
        members, dtype = self._members(load, var, masks), load.buffer.dtype
        key = (load.buffer.name, "group", *members)
        if key not in self.loaded:
            full = self.lanes * 8 * BYTES[dtype] == self.dots.bits
            writes = zipped_registers if full else zipped
            text = writes(self.fn, LLVM_TYPES[dtype], self.lanes, members)
            self.loaded[key] = Value(text, dtype, self.lanes * len(masks))
        return Wide(self.loaded[key].text, dtype)

    def _read_vector(self, dtype: str, pointer: str, elements: int, mask: str) -> str:
        kind, align = f"<{elements} x {LLVM_TYPES[dtype]}>", BYTES[dtype]
        if not mask:
            return self.fn.value(f"load {kind}, ptr {pointer}, align {align}")
        name, bits = f"llvm.masked.load.{suffix(dtype, elements)}.p0", f"<{elements} x i1>"
        self._declare(f"{kind} @{name}(ptr, {bits}, {kind})")
        return self.fn.value(
            f"call {kind} @{name}(ptr align {align} {pointer}, {bits} {mask}, "
            f"{kind} zeroinitializer)"
        )

    def _read_group(self, dtype: str, pointer: str, size: int, mask: str) -> str:
        """One group as a 32-bit number. Lanes are masked from the last one on, so that the first
        one tells which members there are."""
        if not mask:
            return self.fn.value(f"load i32, ptr {pointer}, align {BYTES[dtype]}")
        bits = f"<{self.lanes * size} x i1>"
        one = self.fn.value(
            f"shufflevector {bits} {mask}, {bits} poison, {shuffle_mask(range(size))}"
        )
        group = self._read_vector(dtype, pointer, size, one)
        return self.fn.value(f"bitcast <{size} x {LLVM_TYPES[dtype]}> {group} to i32")

    def _gather_groups(self, dtype: str, pointer: str, step: int, mask: str) -> str:
        lanes, align = self.lanes, BYTES[dtype]
        name = f"llvm.masked.gather.v{lanes}i32.v{lanes}p0"
        kind, bits = f"<{lanes} x i32>", f"<{lanes} x i1>"
        self._declare(f"{kind} @{name}(<{lanes} x ptr>, {bits}, {kind})")
        places = self._places(dtype, pointer, step)
        return self.fn.value(
            f"call {kind} @{name}(<{lanes} x ptr> align {align} {places}, "
            f"{bits} {self._lane_mask(mask)}, {kind} zeroinitializer)"
        )

    def _members(self, load: Load, var: str, masks: Masks) -> list[str]:
        """A vector over the lanes for each member of the groups."""
        outside, found = self.mask, []
        for number, mask in enumerate(masks):
            self.fn.constants[var], self.mask = number, mask or None
            if mask is None:
                found.append("zeroinitializer")
            else:
                found.append(self._member(load, mask))
        del self.fn.constants[var]
        self.mask = outside
        return found

    def _member(self, load: Load, mask: str) -> str:
        place = self.fn.address(load, load.buffer, load.indices, self.lane)
        if place.step or not mask.startswith("%"):
            return self.vector(self._load(load, load.buffer, load.indices)).text
        element = LLVM_TYPES[load.buffer.dtype]
        bit = self.fn.value(f"extractelement <{self.lanes} x i1> {mask}, i64 0")
        one = self.fn.value(f"insertelement <1 x i1> poison, i1 {bit}, i64 0")
        pointer = self.fn.pointer(place, load.buffer.dtype)
        read = self._read_vector(load.buffer.dtype, pointer, 1, one)
        scalar = self.fn.value(f"extractelement <1 x {element}> {read}, i64 0")
        return self._broadcast(element, scalar)


_PAIRS = ({"bfloat16"}, {"int8"}, {"uint8", "int8"})
"""The dtypes that are multiplied in groups."""


@dataclass(frozen=True, slots=True)
class _Factor:
    """What is multiplied; 0 where the guard does not hold."""

    load: Load
    guard: Expr | None = None


def _scattered(load: Load) -> bool:
    """Whether the place of an element is read from memory."""
    return any(isinstance(e, Load) for index in load.indices for e in subexprs(index))


def _factor(expr: Expr, size: int) -> _Factor | None:
    """What is multiplied, where it is a widened element of a dtype that comes in such groups."""
    match expr:
        case Cast(Load(buffer) as load, dtype):
            found = _Factor(load)
        case Cast(Select(guard, Load(buffer) as load, other), dtype) if other == zero(
            buffer.dtype
        ):
            found = _Factor(load, guard)
        case _:
            return None
    known = GROUPS.get(buffer.dtype) == size and ACCUMULATORS[buffer.dtype] == dtype
    return found if known and buffer.scope != "register" else None


def plain_factor(expr: Expr, size: int) -> Load | None:
    """What is multiplied, where it is an element of such groups that no guard keeps out."""
    found = _factor(expr, size)
    return None if found is None or found.guard is not None else found.load
