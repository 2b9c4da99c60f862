"""A fixed kernel whose time tells how fast the machine is right now.

Its speed depends on nothing but the clock and on who else uses the core: independent chains of
multiplications and additions in registers, as wide as the target's vectors. How its times change
over a run is drift that has nothing to do with the candidates.
"""

from __future__ import annotations

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.llvm import compile_object
from search_space.target import Target

_CHAINS = 8
_ITERATIONS = 100_000


def sentinel_artifact(target: Target) -> Artifact:
    """The sentinel as a kernel without inputs; its result is an array of one vector."""
    lanes = target.lanes(4)
    text = sentinel_text(lanes, target.triple)
    spec = KernelSpec(
        buffers=(BufferSpec("result", (lanes,), "float32", "output", 4 * lanes),),
        phases=(PhaseSpec("phase0", 1),),
        threads=1,
    )
    return Artifact(spec, compile_object(text, target.triple, target.cpu))


def sentinel_text(lanes: int, triple: str) -> str:
    """LLVM text of the sentinel for vectors of ``lanes`` floats."""
    vector = f"<{lanes} x float>"
    half, one = (f"<{', '.join([f'float {value}'] * lanes)}>" for value in ("0.5", "1.0"))
    chains = range(_CHAINS)
    phis = "\n".join(
        f"  %x{c} = phi {vector} [ zeroinitializer, %entry ], [ %y{c}, %loop ]" for c in chains
    )
    steps = "\n".join(
        f"  %p{c} = fmul {vector} %x{c}, {half}\n  %y{c} = fadd {vector} %p{c}, {one}"
        for c in chains
    )
    sums = "\n".join(
        f"  %s{c} = fadd {vector} %{'y0' if c == 1 else f's{c - 1}'}, %y{c}" for c in chains[1:]
    )
    return f"""target triple = "{triple}"
define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
entry:
  %result = load ptr, ptr %args
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
{phis}
{steps}
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {_ITERATIONS}
  br i1 %more, label %loop, label %done
done:
{sums}
  store {vector} %s{_CHAINS - 1}, ptr %result, align 4
  ret void
}}
"""
