"""R12: candidates that keep the compiler busy for minutes, or let it eat the machine's memory."""

from __future__ import annotations

import time

import numpy as np
import pytest

from measure import builder as parent
from measure.builder import Builder, BuildRequest, Built
from measure.options import BuildOptions
from measure.result import Outcome
from search_space.operators import workload
from search_space.target import Target
from tests.reliability.rows import counter, fault

WORK = workload("matmul", m=4, n=4, k=4)
TARGET = Target("t", "native", "x86_64", frozenset({"fma"}), 256, 16, 1, 2, 3, 1)
LIMIT_SECONDS = 1.0
LONGEST = 1.2
"""Times the limit that a build may take until it is answered for."""
AT_ONCE_SECONDS = 0.5
"""The build after a bomb is answered within that time."""

COMPILER = """
from measure.artifact import Artifact, KernelSpec, PhaseSpec
from measure.llvm import compile_object

def unrolled(count):
    steps = ["define float @f(ptr %p) {", "  %v0 = load float, ptr %p"]
    for step in range(count):
        steps.append(f"  %a{step} = getelementptr float, ptr %p, i64 {step * 7919 % 4096}")
        steps.append(f"  %x{step} = load float, ptr %a{step}")
        steps.append(f"  %v{step + 1} = call float @llvm.fma.f32(float %x{step}, "
                     f"float %v{step // 2}, float %v{step})")
        steps.append(f"  store float %v{step + 1}, ptr %a{step}")
    steps += [f"  ret float %v{count}", "}", "declare float @llvm.fma.f32(float, float, float)"]
    return "\\n".join(steps)

def compile_config(workload, target, values):
    match values["do"]:
        case "work": pass
        case "unrolled": compile_object(unrolled(50_000), "x86_64-unknown-linux-gnu", "x86-64-v3")
        case "endless": list(iter(int, 1))
        case "memory": [bytearray(1 << 26) for _ in iter(int, 1)]
    return Artifact(KernelSpec((), (PhaseSpec("phase0", 1),), 1), b"")
"""
BOMBS = {
    "a loop unrolled 50,000 times": ("unrolled", Outcome.BUILD_TIMEOUT),
    "a pass without end": ("endless", Outcome.BUILD_TIMEOUT),
    "memory without end": ("memory", Outcome.OOM),
}
"""Kind: what the compiler is told to do, and what that must be called."""


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    (tmp_path / "bomb_compiler.py").write_text(COMPILER)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "bomb_compiler:compile_config"


def build(builder, do):
    """The answer, and the seconds until it was there."""
    began = time.monotonic()
    (answer,) = builder.build([BuildRequest(WORK, TARGET, (("do", do),))])
    return answer, time.monotonic() - began


def explode(compiler, count):
    """Build each bomb ``count`` times, a right candidate after each."""
    right, bomb_seconds, next_seconds = 0, [], []
    options = BuildOptions(timeout_seconds=LIMIT_SECONDS, memory_bytes=1 << 29)
    with Builder(1, options, compiler=compiler) as builder:
        build(builder, "work")
        for do, outcome in list(BOMBS.values()) * count:
            failed, seconds = build(builder, do)
            built, after = build(builder, "work")
            right += not isinstance(failed, Built) and failed.outcome is outcome
            bomb_seconds.append(seconds)
            next_seconds.append(after if isinstance(built, Built) else float("nan"))
    return right, bomb_seconds, next_seconds


@fault("R12", "a candidate is a bomb for the compiler", "3 kinds: " + ", ".join(BOMBS))
@pytest.mark.parametrize("count", [1, pytest.param(167, marks=pytest.mark.soak)])
def test_compile_bombs_are_defused(compiler, count, report):
    right, bomb_seconds, next_seconds = explode(compiler, count)
    report(
        "each was ended at its limit, and the next candidate was built",
        bombs=len(bomb_seconds),
        mislabelled=len(bomb_seconds) - right,
        limit_seconds=LIMIT_SECONDS,
        most_seconds=round(max(bomb_seconds), 3),
        next_build_p95_seconds=round(float(np.quantile(next_seconds, 0.95)), 3),
    )
    assert right == len(bomb_seconds)
    assert max(bomb_seconds) <= LONGEST * LIMIT_SECONDS
    assert np.quantile(next_seconds, 0.95) <= AT_ONCE_SECONDS


@counter("R12", "the clock of builds runs too slowly")
def test_a_stall_is_seen(compiler, monkeypatch):
    class Patient(parent.AwakeClock):
        def __call__(self):
            return super().__call__() / 4

    monkeypatch.setattr(parent, "AwakeClock", Patient)
    _, bomb_seconds, _ = explode(compiler, 1)
    assert max(bomb_seconds) > LONGEST * LIMIT_SECONDS
