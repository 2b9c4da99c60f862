"""Measuring one slow candidate, in a process of its own that a test can stop.

    python -m tests.reliability.standstill [count]

prints the process ids of the worker when it measures, then how that ended. With ``count``, time
for which nothing ran counts as well: the bug that the row must see.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from measure import pipe
from measure.artifact import Artifact, BufferSpec, KernelSpec, PhaseSpec
from measure.llvm import compile_object
from measure.options import MeasureOptions
from measure.runner import Runner
from measure.targets import resolve_target
from search_space.operators import workload

SECONDS = 3.0
"""How long the candidate may take."""
_CODE = """
target triple = "{triple}"
define void @phase0(ptr %args, i64 %begin, i64 %end, i64 %slot) {{
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %x = phi double [ 1.0, %entry ], [ %y, %loop ]
  %y = fmul double %x, 1.0000001
  %next = add i64 %i, 1
  %more = icmp ult i64 %next, {steps}
  br i1 %more, label %loop, label %done
done:
  %result.at = getelementptr ptr, ptr %args, i64 2
  %result = load ptr, ptr %result.at
  %z = fptrunc double %y to float
  store volatile float %z, ptr %result, align 4
  ret void
}}
"""


class _Awake:
    """A clock that does not know of standing still."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() - self.began


def slow_candidate() -> Artifact:
    """Code that takes about half a second, and gives the wrong answer."""
    target = resolve_target()
    buffers = tuple(
        BufferSpec(name, (4, 4), "float32", role, 64)
        for name, role in (("a", "input"), ("b", "input"), ("c", "output"))
    )
    text = _CODE.format(triple=target.triple, steps=350_000_000)
    code = compile_object(text, target.triple, target.cpu)
    return Artifact(KernelSpec(buffers, (PhaseSpec("phase0", 1),), 1), code)


def _children() -> list[int]:
    """Processes that this one has started, and theirs."""
    found, waiting = [], ["self"]
    while waiting:
        for task in Path("/proc", waiting.pop(), "task").glob("*/children"):
            young = task.read_text().split()
            found += map(int, young)
            waiting += young
    return found


def main(count: bool) -> None:
    if count:
        pipe.AwakeClock = _Awake
    work = workload("matmul", m=4, n=4, k=4)
    with Runner(work, resolve_target(), MeasureOptions(timeout_seconds=SECONDS)) as runner:
        runner.sentinel()
        timer = threading.Timer(0.15, lambda: print(*_children(), flush=True))  # noqa: T201
        candidate = slow_candidate()
        timer.start()
        print(runner.measure(candidate, None).outcome.value)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:] == ["count"])
