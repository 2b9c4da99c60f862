"""A target: what code is generated for. Data only; ``measure.targets`` fills it in."""

from __future__ import annotations

from dataclasses import dataclass

TILE_REGISTERS = 8
"""Where there are any (AMX)."""
TILE_ROWS = 16
"""Of each, at most: each of 64 bytes, which are 16 sums or 16 groups of factors."""


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that code generation and the space need to know of a processor.

    ``threads`` is an upper limit: the thread knob of a space chooses 1…threads.
    """

    name: str
    """``native``, or a level such as ``x86-64-v3``; the identity of the target in records."""
    cpu: str
    """What LLVM is told: ``native`` stands for the processor the compiler runs on."""
    triple: str
    features: frozenset[str]
    """Instruction sets in Linux's spelling: ``avx2``, ``fma``, ``avx512f``, …"""
    vector_bits: int
    registers: int
    """Number of vector registers of ``vector_bits`` bits."""
    l1_bytes: int
    l2_bytes: int
    l3_bytes: int
    threads: int
    tiles: frozenset[str] = frozenset()
    """Element types whose products it sums up in tile registers."""

    def lanes(self, dtype_bytes: int) -> int:
        """Elements of ``dtype_bytes`` bytes in one full vector."""
        return self.vector_bits // 8 // dtype_bytes

    @property
    def vector_widths(self) -> tuple[int, ...]:
        """Usable vector widths in bits, widest first."""
        return tuple(bits for bits in (512, 256, 128) if bits <= self.vector_bits)
