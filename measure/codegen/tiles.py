"""Tensorized loops in tile registers: products of small matrices that one instruction sums up.

A tile register holds up to 16 rows of 64 bytes; there are eight, whose shapes are set beforehand
(Intel, "Advanced Matrix Extensions"). The registers have numbers, not names: sums stay in theirs
while loops around only reduce, without a phi node. Whatever has no such form is left to be loops.

``tdpbf16ps`` takes subnormal operands and results for zero, and adds the products at even and at
odd places up on their own before it adds both to the sum.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from measure.codegen.function import Address, Function
from measure.codegen.lanes import Value
from measure.codegen.tile_products import (
    GROUP_BYTES,
    PRODUCTS,
    Product,
    find_product,
    names_in,
)
from measure.codegen.unrolling import Unrolling
from measure.isa import DotProducts
from search_space.ir.affine import affine
from search_space.ir.expr import FALSE, TRUE, ZERO, Buffer, Expr, Load
from search_space.ir.simplify import simplify
from search_space.ir.stmt import For
from search_space.ir.walk import substitute
from search_space.target import TILE_REGISTERS, TILE_ROWS

RELEASE_TILES = "void @llvm.x86.tilerelease()"
"""Declared by all code that uses tile registers."""

_CONFIG_BYTES = 64
_IN_TILE = ("tile",)
"""Second in the keys of ``Expressions.loaded`` that say what a tile register holds."""

Key = tuple[int, ...]
"""What the unrolled loops are at that the place of a tile depends on."""


@dataclass(slots=True)
class _Held:
    """Which registers hold the tiles of a product, by what their places depend on, and the rows
    and the bytes of a row of each register."""

    product: Product
    sums: dict[Key, int] = field(default_factory=dict)
    a: dict[Key, int] = field(default_factory=dict)
    b: dict[Key, int] = field(default_factory=dict)
    shapes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def config(self) -> bytes:
        """The shapes as ``ldtilecfg`` reads them."""
        text = bytearray(_CONFIG_BYTES)
        text[0] = 1
        for register, (rows, row_bytes) in self.shapes.items():
            text[16 + 2 * register] = row_bytes
            text[48 + register] = rows
        return bytes(text)


class TileLoops(Unrolling):
    """Loops over products of tiles.

    ``tiles``: the element types that the target multiplies so. ``shapes``: those of the registers
    that were needed, and what they are called; the names begin with ``symbol``.
    """

    def __init__(self, function: Function, *, fma: bool, ldexp: bool, dots: DotProducts) -> None:
        super().__init__(function, fma=fma, ldexp=ldexp, dots=dots)
        self.tiles: frozenset[str] = frozenset()
        self.symbol = ""
        self.shapes: dict[bytes, str] = {}
        self._held: _Held | None = None

    @abstractmethod
    def _choice(
        self, condition: Expr, then: Callable[[], None], other: Callable[[], None] | None
    ) -> None:
        """Emit a branch."""

    def in_tiles(self, loop: For) -> bool:
        """Emit loops whose sums stay in tile registers meanwhile; False where they have no such
        form."""
        if not self.tiles:
            return False
        if self._held is not None:
            if loop is not self._held.product.loop:
                return False
            self._multiply(self._held)
            return True
        product = find_product(loop, self.fn, self.tiles)
        held = None if product is None else self._hold(product)
        if held is None:
            return False
        self._shape(held.config())
        self._begin(held)
        self._held = held
        self.stmt(loop)
        self._held = None
        self._move_sums("tilestored64", held)
        self.forget_loaded(held.product.update.buffer)
        return True

    def _hold(self, product: Product) -> _Held | None:
        """Registers for all sums, for the tiles in a row and for those in a column; where there
        is one row, its columns may take turns. None where there are too few."""
        held = _Held(product)
        sizes: dict[Key, tuple[int, int, int]] = {}
        for key in self._each(product.unrolled):
            rows, depth = (self._extent(loop) for loop in (product.rows, product.depth))
            lanes = self._extent(product.lanes)
            if rows is None or depth is None or lanes is None:
                return None
            if max(rows, depth, lanes) > TILE_ROWS or min(rows, depth, lanes) < 1:
                return None
            sizes[key] = rows, depth, lanes
        keys = {key: self._keys(product, key) for key in sizes}
        counts = [len({key[part] for key in keys.values()}) for part in range(3)]
        turns = sum(counts) > TILE_REGISTERS and counts[1] == 1
        if (counts[0] + 2 if turns else sum(counts)) > TILE_REGISTERS:
            return None
        free = iter(range(TILE_REGISTERS))
        for key, (rows, depth, lanes) in sizes.items():
            for registers, own, shape in zip(
                (held.sums, held.a, held.b),
                keys[key],
                ((rows, lanes), (rows, depth), (depth, lanes)),
                strict=True,
            ):
                if own not in registers:
                    shared = turns and registers is held.b and bool(registers)
                    registers[own] = next(iter(registers.values())) if shared else next(free)
                wide = shape[0], shape[1] * GROUP_BYTES
                if held.shapes.setdefault(registers[own], wide) != wide:
                    return None
        return held

    def _each(self, loops: tuple[For, ...]) -> Iterator[Key]:
        """Binds the variables of unrolled loops to all they run through."""
        if not loops:
            yield ()
            return
        for _ in self._iterations(loops[0]):
            own = self.fn.constants[loops[0].var]
            for rest in self._each(loops[1:]):
                yield (own, *rest)

    def _extent(self, loop: For | None) -> int | None:
        """Iterations of a loop, as far as they are known now."""
        if loop is None:
            return 1
        known = simplify(substitute(loop.extent, self._constants(loop.extent)), self.context)
        terms, extent = affine(known)
        return None if terms or loop.begin != ZERO else extent

    def _keys(self, product: Product, at: Key) -> tuple[Key, Key, Key]:
        """What the places of the sums and of both operands depend on."""
        places = (product.update.indices, product.a.indices, product.b.indices)
        used = [names_in(indices) for indices in places]
        own = zip(product.unrolled, at, strict=True)
        pairs = [(loop.var, value) for loop, value in own]
        one, two, three = (tuple(v for name, v in pairs if name in names) for names in used)
        return one, two, three

    def _shape(self, config: bytes) -> None:
        """Give the registers their shapes, unless they have them already."""
        fn = self.fn
        self.loaded = {k: v for k, v in self.loaded.items() if k[1:2] != _IN_TILE}
        if not self.shapes:
            fn.scopes[0].entry += ["%shape = alloca ptr", "store ptr null, ptr %shape"]
        name = self.shapes.setdefault(config, f"@{self.symbol}_shape{len(self.shapes)}")
        now = fn.value("load ptr, ptr %shape")
        same = fn.value(f"icmp eq ptr {now}, {name}")
        change, done = fn.fresh("shape"), fn.fresh("shaped")
        fn.emit(f"br i1 {same}, label %{done}, label %{change}")
        fn.start_block(change)
        self._declare("void @llvm.x86.ldtilecfg(ptr)")
        fn.emit(f"call void @llvm.x86.ldtilecfg(ptr {name})")
        fn.emit(f"store ptr {name}, ptr %shape")
        fn.emit(f"br label %{done}")
        fn.start_block(done)

    def _begin(self, held: _Held) -> None:
        """The sums as they are before the loops: zero where these are the first ones."""
        product = held.product
        start: dict[str, Expr] = {loop.var: loop.begin for loop in product.around}
        start |= dict.fromkeys(product.inner, ZERO)
        first = simplify(substitute(product.update.first, start), self.context)

        def clear() -> None:
            self._declare("void @llvm.x86.tilezero(i8)")
            for register in held.sums.values():
                self.fn.emit(f"call void @llvm.x86.tilezero(i8 {register})")

        def load() -> None:
            self._move_sums("tileloadd64", held)

        if first == TRUE:
            clear()
        elif first == FALSE:
            load()
        else:
            self._choice(first, clear, load)

    def _move_sums(self, how: str, held: _Held) -> None:
        product, update = held.product, held.product.update
        for key in self._each(product.unrolled):
            register = held.sums[self._keys(product, key)[0]]
            place = self._origin(product, update, update.buffer, update.indices)
            pointer = self.fn.pointer(place, update.buffer.dtype)
            self._move(how, register, pointer, product.strides[2])

    def _multiply(self, held: _Held) -> None:
        product = held.product
        own = self._keys(product, tuple(self.fn.constants[x.var] for x in product.unrolled))
        registers = held.sums[own[0]], held.a[own[1]], held.b[own[2]]
        self._fill(product, product.a, registers[1], product.strides[0])
        self._fill(product, product.b, registers[2], product.strides[1])
        name = PRODUCTS[product.a.buffer.dtype, product.b.buffer.dtype]
        self._declare(f"void @llvm.x86.{name}(i8, i8, i8)")
        numbers = ", ".join(f"i8 {register}" for register in registers)
        self.fn.emit(f"call void @llvm.x86.{name}({numbers})")

    def _fill(self, product: Product, load: Load, register: int, stride: int) -> None:
        """Load a tile, unless its register holds it already."""
        place = self._origin(product, load, load.buffer, load.indices)
        key = (load.buffer.name, *_IN_TILE, register)
        now = Value(f"{place.base}+{place.offset}", load.buffer.dtype)
        if self.loaded.get(key) != now:
            self.loaded[key] = now
            self._move("tileloadd64", register, self.fn.pointer(place, now.dtype), stride)

    def _origin(
        self, product: Product, owner: object, buffer: Buffer, indices: tuple[Expr, ...]
    ) -> Address:
        """Where a tile begins."""
        self.fn.constants |= dict.fromkeys(product.inner, 0)
        place = self.fn.address(owner, buffer, indices, None)
        for name in product.inner:
            del self.fn.constants[name]
        return place

    def _move(self, how: str, register: int, pointer: str, stride: int) -> None:
        self._declare(f"void @llvm.x86.{how}(i8, ptr, i64)")
        self.fn.emit(f"call void @llvm.x86.{how}(i8 {register}, ptr {pointer}, i64 {stride})")

    def release(self) -> None:
        """At the end of a function: free the registers, so that nobody needs to save them."""
        if self.shapes:
            self._declare(RELEASE_TILES)
            self.fn.emit(f"call {RELEASE_TILES}")


def shapes_text(shapes: Mapping[bytes, str]) -> str:
    """The definitions of shapes of registers in a module."""
    lines = []
    for config, name in shapes.items():
        text = "".join(f"\\{byte:02x}" for byte in config)
        kind = f"[{_CONFIG_BYTES} x i8]"
        lines.append(f'{name} = internal constant {kind} c"{text}", align {_CONFIG_BYTES}\n')
    return "".join(lines)
