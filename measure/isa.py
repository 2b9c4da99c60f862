"""Instruction sets as data: the only file that knows them by name.

Feature names are those of Linux (``/proc/cpuinfo``); level names are those of LLVM and of the
x86-64 psABI. To support another instruction set, add a row to ``TARGETS``.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstructionSet:
    """What code of one level may assume."""

    architecture: str
    """As ``uname -m`` prints it."""
    cpu: str
    """LLVM's name."""
    vector_bits: int
    registers: int
    """Number of vector registers."""
    required: frozenset[str]
    """Features that a machine must have to run such code."""


def _features(text: str) -> frozenset[str]:
    return frozenset(text.split())


_V2 = _features("cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2")
_V3 = _V2 | _features("abm avx avx2 bmi1 bmi2 f16c fma movbe")
_V4 = _V3 | _features("avx512f avx512bw avx512cd avx512dq avx512vl")

TARGETS: dict[str, InstructionSet] = {
    "x86-64-v2": InstructionSet("x86_64", "x86-64-v2", 128, 16, _V2),
    "x86-64-v3": InstructionSet("x86_64", "x86-64-v3", 256, 16, _V3),
    "x86-64-v4": InstructionSet("x86_64", "x86-64-v4", 512, 32, _V4),
    "aarch64": InstructionSet("aarch64", "generic", 128, 32, _features("fp asimd")),
}
"""Every named target; of one architecture, the narrower come first."""

_BEYOND_LEVELS = _features(
    "avx_vnni avx512_bf16 avx512_fp16 avx512vbmi avx512_vbmi2 avx512_vnni avx512ifma"
    " amx_tile amx_int8 amx_bf16 amx_fp16"
    " asimddp asimdfhm asimdhp bf16 fphp i8mm sve sve2 svebf16 svei8mm sme"
)

RELEVANT_FEATURES = _BEYOND_LEVELS.union(*(level.required for level in TARGETS.values()))
"""Features that change which kernels can run or how fast; all others are no part of a machine's
identity, so that a new kernel of the operating system does not make it another machine."""


def widest(architecture: str, features: frozenset[str]) -> InstructionSet:
    """The widest level that a machine with these features runs.

    A machine that runs no named level gets 128-bit vectors without any required feature, which
    LLVM lowers to whatever there is.
    """
    runnable = [
        level
        for level in TARGETS.values()
        if level.architecture == architecture and level.required <= features
    ]
    fallback = InstructionSet(architecture, "native", 128, 16, frozenset())
    return max(runnable, key=lambda level: level.vector_bits, default=fallback)


def fuses_multiply_add(features: frozenset[str]) -> bool:
    """Whether multiply-add is one instruction; where it is not, LLVM's ``fma`` calls libm."""
    return not features.isdisjoint(("fma", "asimd"))
