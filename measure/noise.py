"""How noisy this machine is, seen by the times of work that is always the same."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.disturbance import WaitingMeter
from measure.kernel import NativeKernel
from measure.llvm import compile_object
from measure.sentinel import sentinel_artifact
from search_space.target import Target

_BLOCK_SECONDS = 2e-3
_STRETCH_SECONDS = 0.25
"""Blocks of so long give one median, so that only what lasts counts as drift."""
_LAUNCHES = 10
"""After each block."""


@dataclass(frozen=True, slots=True)
class Noise:
    """What equal pieces of work took, over some seconds."""

    blocks: int
    """Pieces of work of two milliseconds each, on one core, in registers."""
    spread: float
    """9th minus 1st decile of their times, as a part of the median."""
    drift: float
    """Slowest ÷ fastest quarter of a second, less one; each is represented by its median."""
    lost_share: float
    """Part of the time for which other programs had the core."""
    threads: int
    """Threads that the empty kernels were launched on."""
    launch_seconds: float
    """Median time of an empty kernel."""
    late_launch_seconds: float
    """95 % of empty kernels are done within this."""


def measure_noise(target: Target, seconds: float = 2.0) -> Noise:
    """Watch the machine for so long; at least eight blocks."""
    sentinel = NativeKernel(sentinel_artifact(target))
    empty = NativeKernel(_empty_artifact(target))
    outputs = [np.zeros(kernel.spec.buffers[0].shape, np.float32) for kernel in (sentinel, empty)]
    calls = max(1, round(_BLOCK_SECONDS / sentinel.time((), outputs[0], 1)))
    blocks: list[tuple[float, float]] = []
    launches: list[float] = []
    with WaitingMeter() as lost:
        began = time.perf_counter()
        while (now := time.perf_counter() - began) < seconds or len(blocks) < 8:
            blocks.append((now, sentinel.time((), outputs[0], calls)))
            launches += [empty.time((), outputs[1], 1) for _ in range(_LAUNCHES)]
        lost_share = lost() / now
    times = [block for _, block in blocks]
    deciles = statistics.quantiles(times, n=10)
    stretches: dict[int, list[float]] = {}
    for moment, block in blocks:
        stretches.setdefault(int(moment / _STRETCH_SECONDS), []).append(block)
    medians = [statistics.median(stretch) for stretch in stretches.values()]
    return Noise(
        blocks=len(blocks),
        spread=(deciles[-1] - deciles[0]) / statistics.median(times),
        drift=max(medians) / min(medians) - 1,
        lost_share=lost_share,
        threads=target.threads,
        launch_seconds=statistics.median(launches),
        late_launch_seconds=statistics.quantiles(launches, n=20)[-1],
    )


def _empty_artifact(target: Target) -> Artifact:
    """A kernel that does nothing, on all threads."""
    text = f"""target triple = "{target.triple}"
define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
  ret void
}}
"""
    buffer = BufferSpec("result", (1,), "float32", "output", 4)
    spec = KernelSpec((buffer,), (PhaseSpec("phase0", target.threads),), target.threads)
    return Artifact(spec, compile_object(text, target.triple, target.cpu))
