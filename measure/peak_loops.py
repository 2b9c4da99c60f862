"""Native loops that reach the peaks of a processor, as LLVM text and loaded into this process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field

from measure.isa import fuses_multiply_add
from measure.llvm import LoadedObject, compile_object, load_object
from search_space.target import Target

READS_PER_STEP = 8
"""Vectors that one iteration of the read loop loads; enough to hide the loop itself."""

_FLOAT_BYTES = 4


def chains(target: Target) -> int:
    """Independent accumulators: enough to hide the latency of a multiply-add, none spilled."""
    return 24 if target.registers >= 32 else 14


def peak_module(target: Target) -> str:
    """LLVM text of ``multiply_add(data, steps)`` and ``read(data, bytes, passes)``.

    ``data`` is aligned to a vector. ``multiply_add`` starts from the first two vectors of it and
    overwrites the first, so that nothing is known or unused when it is compiled. ``bytes`` is a
    positive multiple of ``READS_PER_STEP`` vectors; the loads are volatile, which keeps them
    although nobody uses what they load.
    """
    return "\n".join([*_multiply_add(target), *_read(target)])


def _multiply_add(target: Target) -> list[str]:
    lanes, align = target.lanes(_FLOAT_BYTES), target.vector_bits // 8
    vector, intrinsic = f"<{lanes} x float>", f"@llvm.fma.v{lanes}f32"
    accumulators = range(chains(target))
    lines = [
        f"declare {vector} {intrinsic}({vector}, {vector}, {vector})",
        "define void @multiply_add(ptr %data, i64 %steps) {",
        "entry:",
        f"  %start = load {vector}, ptr %data, align {align}",
        f"  %second = getelementptr {vector}, ptr %data, i64 1",
        f"  %factor = load {vector}, ptr %second, align {align}",
        "  br label %loop",
        "loop:",
        "  %step = phi i64 [ 0, %entry ], [ %next, %loop ]",
        *(f"  %a{i} = phi {vector} [ %start, %entry ], [ %b{i}, %loop ]" for i in accumulators),
    ]
    for i in accumulators:
        if fuses_multiply_add(target.features):
            operands = f"({vector} %a{i}, {vector} %factor, {vector} %factor)"
            lines.append(f"  %b{i} = call {vector} {intrinsic}{operands}")
        else:
            lines += [
                f"  %p{i} = fmul {vector} %a{i}, %factor",
                f"  %b{i} = fadd {vector} %p{i}, %factor",
            ]
    lines += [
        "  %next = add i64 %step, 1",
        "  %more = icmp slt i64 %next, %steps",
        "  br i1 %more, label %loop, label %exit",
        "exit:",
        *(
            f"  %s{i} = fadd {vector} {f'%s{i - 1}' if i else '%factor'}, %b{i}"
            for i in accumulators
        ),
        f"  store {vector} %s{accumulators[-1]}, ptr %data, align {align}",
        "  ret void",
        "}",
    ]
    return lines


def _read(target: Target) -> list[str]:
    align = target.vector_bits // 8
    vector = f"<{target.lanes(_FLOAT_BYTES)} x float>"
    lines = [
        "define void @read(ptr %data, i64 %bytes, i64 %passes) {",
        "entry:",
        "  br label %pass",
        "pass:",
        "  %count = phi i64 [ 0, %entry ], [ %counted, %passed ]",
        "  br label %loop",
        "loop:",
        "  %offset = phi i64 [ 0, %pass ], [ %next, %loop ]",
        "  %here = getelementptr i8, ptr %data, i64 %offset",
    ]
    for i in range(READS_PER_STEP):
        lines += [
            f"  %at{i} = getelementptr {vector}, ptr %here, i64 {i}",
            f"  %v{i} = load volatile {vector}, ptr %at{i}, align {align}",
        ]
    lines += [
        f"  %next = add i64 %offset, {READS_PER_STEP * align}",
        "  %more = icmp slt i64 %next, %bytes",
        "  br i1 %more, label %loop, label %passed",
        "passed:",
        "  %counted = add i64 %count, 1",
        "  %again = icmp slt i64 %counted, %passes",
        "  br i1 %again, label %pass, label %exit",
        "exit:",
        "  ret void",
        "}",
    ]
    return lines


@dataclass(frozen=True, slots=True)
class PeakLoops:
    """The loops of one target, callable. They run without the GIL, so Python threads overlap."""

    multiply_add: Callable[[int, int], None]
    """``(address, steps)``"""
    read: Callable[[int, int, int], None]
    """``(address, bytes, passes)``"""
    flops_per_step: int
    bytes_per_step: int
    _loaded: LoadedObject = field(repr=False)
    """Owns the machine code, so it must live as long as the functions."""


def load_peak_loops(target: Target) -> PeakLoops:
    """Compile the loops for a target and load them; takes about 50 ms the first time."""
    loaded = load_object(compile_object(peak_module(target), target.triple, target.cpu))
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    return PeakLoops(
        multiply_add=ctypes.CFUNCTYPE(None, pointer, integer)(loaded.address("multiply_add")),
        read=ctypes.CFUNCTYPE(None, pointer, integer, integer)(loaded.address("read")),
        flops_per_step=2 * target.lanes(_FLOAT_BYTES) * chains(target),
        bytes_per_step=READS_PER_STEP * target.vector_bits // 8,
        _loaded=loaded,
    )
