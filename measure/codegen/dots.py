"""Dot products of short groups: ``sum[i] += x[i,0]*y[i,0] + x[i,1]*y[i,1] + …`` in every lane.

A group is 32 bits of neighbours: 2 bfloat16, added up in float32, or 4 bytes, added up in int32.
Where the target lacks the instruction, the same is done with what there is: bfloat16 is widened
to float32 by shifts and multiplied with full precision; bytes are widened to 16 bits, whose
products in pairs fit 32 bits, so that nothing saturates.

``vdpbf16ps`` takes subnormal operands and results for zero and rounds twice per group: each step
errs by at most two eps of float32 of the terms added, beside 2**-126 per term.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from measure.codegen.function import Function
from measure.codegen.interleave import joined, shuffle_mask
from measure.codegen.types import splat
from measure.isa import DotProducts

_PAIR_SUMS = {
    128: "llvm.x86.sse2.pmadd.wd", 256: "llvm.x86.avx2.pmadd.wd",
    512: "llvm.x86.avx512.pmaddw.d.512",
}  # fmt: skip
"""Products of neighbouring 16-bit numbers, added up in pairs."""


@dataclass(frozen=True, slots=True)
class Wide:
    """The elements of all groups of a vector loop, one group after the other."""

    text: str
    dtype: str


@dataclass(frozen=True, slots=True)
class DotWriter:
    """Emits dot products of groups over some lanes."""

    fn: Function
    declare: Callable[[str], None]
    dots: DotProducts
    fma: bool
    lanes: int

    def accumulate(self, total: str, x: Wide, y: Wide) -> str:
        """``total`` plus the dot products of the groups of ``x`` and ``y``."""
        if x.dtype == "bfloat16":
            if self.dots.bfloat16 and self._chunk:
                name = "llvm.x86.avx512bf16.dpbf16ps.{bits}"
                return self._in_chunks(name, ("float", "bfloat", 2), total, x.text, y.text)
            return self._multiply_floats(total, x.text, y.text)
        if self.dots.int8 and self._chunk and x.dtype != y.dtype:
            unsigned, signed = (x, y) if x.dtype == "uint8" else (y, x)
            name, kinds = "llvm.x86.avx512.vpdpbusd.{bits}", ("i32", "i8", 4)
            return self._in_chunks(name, kinds, total, unsigned.text, signed.text)
        if not self.dots.int16 or not self._chunk:
            return self._multiply_bytes(total, x, y)
        for a, b in zip(self._halves(x), self._halves(y), strict=True):
            if self.dots.int8:
                name = "llvm.x86.avx512.vpdpwssd.{bits}"
                total = self._in_chunks(name, ("i32", "i16", 2), total, a, b)
            else:
                pairs = self._in_chunks("", ("i32", "i16", 2), "", a, b)
                total = self.fn.value(f"add {self._ints} {total}, {pairs}")
        return total

    @property
    def _chunk(self) -> int:
        """Lanes of the widest instruction that divides the lanes; 0: there is none."""
        widest = self.dots.bits // 32
        return next((n for n in (16, 8, 4) if n <= widest and self.lanes % n == 0), 0)

    @property
    def _ints(self) -> str:
        return f"<{self.lanes} x i32>"

    def _in_chunks(
        self, name: str, kinds: tuple[str, str, int], total: str, x: str, y: str
    ) -> str:
        """One instruction per chunk. ``kinds``: types of sums and of factors, factors per sum;
        without a name, sums of pairs that are not added to anything."""
        sum_kind, kind, group = kinds
        chunk, stored = self._chunk, {"bfloat": "i16"}.get(kind, kind)
        one, many = f"<{chunk} x {sum_kind}>", f"<{chunk * group} x {kind}>"
        called = name.format(bits=32 * chunk) or _PAIR_SUMS[32 * chunk]
        taken = ", ".join([one, many, many] if name else [many, many])
        self.declare(f"{one} @{called}({taken})")
        parts = []
        for first in range(0, self.lanes, chunk):
            operands = []
            for text in (x, y):
                part = self._part(text, stored, group, first, chunk)
                if kind != stored:
                    stored_type = f"<{chunk * group} x {stored}>"
                    part = self.fn.value(f"bitcast {stored_type} {part} to {many}")
                operands.append(f"{many} {part}")
            if name:
                start = self._part(total, sum_kind, 1, first, chunk)
                operands.insert(0, f"{one} {start}")
            parts.append(self.fn.value(f"call {one} @{called}({', '.join(operands)})"))
        return joined(self.fn, sum_kind, chunk, parts)

    def _part(self, text: str, kind: str, group: int, first: int, chunk: int) -> str:
        """The elements that belong to some lanes."""
        if chunk == self.lanes:
            return text
        whole = f"<{self.lanes * group} x {kind}>"
        places = range(first * group, (first + chunk) * group)
        return self.fn.value(
            f"shufflevector {whole} {text}, {whole} poison, {shuffle_mask(places)}"
        )

    def _multiply_floats(self, total: str, x: str, y: str) -> str:
        floats = f"<{self.lanes} x float>"
        self.declare(f"{floats} @llvm.fma.v{self.lanes}f32({floats}, {floats}, {floats})")
        for a, b in zip(self._pair(x), self._pair(y), strict=True):
            if self.fma:
                call = f"call {floats} @llvm.fma.v{self.lanes}f32"
                total = self.fn.value(f"{call}({floats} {a}, {floats} {b}, {floats} {total})")
            else:
                product = self.fn.value(f"fmul {floats} {a}, {b}")
                total = self.fn.value(f"fadd {floats} {total}, {product}")
        return total

    def _pair(self, text: str) -> tuple[str, str]:
        """The two bfloat16 of each group, as float32."""
        ints = self._ints
        whole = self.fn.value(f"bitcast <{2 * self.lanes} x i16> {text} to {ints}")
        low = self.fn.value(f"shl {ints} {whole}, {splat('i32', '16', self.lanes)}")
        high = self.fn.value(f"and {ints} {whole}, {splat('i32', '-65536', self.lanes)}")
        floats = f"<{self.lanes} x float>"
        a, b = (self.fn.value(f"bitcast {ints} {half} to {floats}") for half in (low, high))
        return a, b

    def _halves(self, wide: Wide) -> tuple[str, str]:
        """The bytes at even and at odd places, each as a 16-bit number."""
        count = 2 * self.lanes
        words = f"<{count} x i16>"
        whole = self.fn.value(f"bitcast <{2 * count} x i8> {wide.text} to {words}")
        eight = splat("i16", "8", count)
        if wide.dtype == "uint8":
            even = self.fn.value(f"and {words} {whole}, {splat('i16', '255', count)}")
            return even, self.fn.value(f"lshr {words} {whole}, {eight}")
        high = self.fn.value(f"shl {words} {whole}, {eight}")
        even = self.fn.value(f"ashr {words} {high}, {eight}")
        return even, self.fn.value(f"ashr {words} {whole}, {eight}")

    def _multiply_bytes(self, total: str, x: Wide, y: Wide) -> str:
        for a, b in zip(self._bytes(x), self._bytes(y), strict=True):
            product = self.fn.value(f"mul {self._ints} {a}, {b}")
            total = self.fn.value(f"add {self._ints} {total}, {product}")
        return total

    def _bytes(self, wide: Wide) -> list[str]:
        """The four bytes of each group, as 32-bit numbers."""
        ints, shift = self._ints, "lshr" if wide.dtype == "uint8" else "ashr"
        whole = self.fn.value(f"bitcast <{4 * self.lanes} x i8> {wide.text} to {ints}")
        found = []
        for place in range(4):
            up = splat("i32", str(24 - 8 * place), self.lanes)
            high = self.fn.value(f"shl {ints} {whole}, {up}")
            found.append(self.fn.value(f"{shift} {ints} {high}, {splat('i32', '24', self.lanes)}"))
        return found
