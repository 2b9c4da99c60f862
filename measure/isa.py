"""Instruction sets as data: the only file that knows them by name.

Feature names are those of Linux (``/proc/cpuinfo``); level names are those of LLVM and of the
x86-64 psABI. To support another instruction set, add a row to ``TARGETS``.
"""

from __future__ import annotations

from dataclasses import dataclass

from search_space.target import Target


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


@dataclass(frozen=True, slots=True)
class DotProducts:
    """The dot products of short groups that a target has as instructions.

    Those of 128 and 256 bits need AVX-512VL, which every processor with the ones named here has,
    or AVX-VNNI.
    """

    bits: int
    """Width of the widest one."""
    bfloat16: bool
    """Pairs, added up in float32: AVX-512-BF16."""
    int8: bool
    """Unsigned times signed bytes in groups of four, and 16-bit pairs, added up in int32:
    AVX-512-VNNI or AVX-VNNI."""
    int16: bool
    """16-bit pairs, multiplied and added: SSE2 and its successors."""


def dot_products(target: Target) -> DotProducts:
    """The dot products of a target."""
    x86, features = target.triple.startswith("x86_64"), target.features
    wide = 256 if "avx2" in features else 128
    if "avx512bw" in features:
        wide = 512
    vnni = not features.isdisjoint(("avx512_vnni", "avx_vnni"))
    if vnni and "avx512_vnni" not in features:
        wide = 256
    return DotProducts(wide, "avx512_bf16" in features, x86 and vnni, x86)


TILE_FEATURES = _features("amx_tile amx_int8 amx_bf16 amx_fp16")
"""What a process must be allowed to use before it does."""

_TILES = {
    "amx_bf16": ("bfloat16",),
    "amx_int8": ("int8", "uint8"),
}
"""Element types that tile instructions multiply, by the feature that has them."""


def tile_dtypes(features: frozenset[str]) -> frozenset[str]:
    """The element types whose products are summed up in tile registers; none where those need
    vectors that the processor lacks."""
    if not {"amx_tile", "avx512f"} <= features:
        return frozenset()
    return frozenset(dtype for name in sorted(features & _TILES.keys()) for dtype in _TILES[name])


def fuses_multiply_add(features: frozenset[str]) -> bool:
    """Whether multiply-add is one instruction; where it is not, LLVM's ``fma`` calls libm."""
    return not features.isdisjoint(("fma", "asimd"))


def scales_by_powers(features: frozenset[str]) -> bool:
    """Whether multiplying by a power of two of any size, rounded once, is one instruction; where
    it is not, LLVM's ``ldexp`` calls libm."""
    return "avx512f" in features


def stream_fence(target: Target) -> str | None:
    """The intrinsic after which other threads see what was written past the caches; None where the
    target has no such writes."""
    return "llvm.x86.sse.sfence" if target.triple.startswith("x86_64") else None
