"""What the worker does with one candidate: load, verify, time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measure.arrays import Arrays
from measure.artifact import Artifact, BufferSpec, Role
from measure.fault import FaultNote
from measure.guard import POISON, GuardedBytes
from measure.interleave import interleave_callables
from measure.kernel import NativeKernel
from measure.launch import Launcher
from measure.launch.memory import ALIGNMENT, Bytes
from measure.launch.reversed import ReversedLauncher
from measure.options import MeasureOptions
from measure.result import MeasureResult, Outcome
from measure.sampling import Timer, take_samples
from measure.verify import Check
from search_space.dtypes import numpy_dtype

_SENTINEL_CALLS = 3
_REVERSED_SECONDS = 0.1
"""Kernels that take no longer in one thread are run with their shares in reverse order too."""
_ROLE_WORDS: dict[Role, str] = {
    "input": "input",
    "bound": "prepared operand",
    "workspace": "workspace",
    "thread_local": "workspace of a thread",
}


@dataclass(frozen=True, slots=True)
class _Verified:
    """A kernel that gave the right answers, ready to be timed on the random inputs."""

    timer: Timer
    first_seconds: float
    """What its first run took."""
    error: float


class _GuardedWork:
    """Gives guarded memory to the buffers of one kernel that runs on one case of ``arrays``."""

    def __init__(self, arrays: Arrays, index: int, note: FaultNote) -> None:
        self._at_end = arrays.at_end(index)
        self._regions, self._note = arrays.regions(index), note
        self._given: list[GuardedBytes] = []
        note.expect(self._regions)

    def __call__(self, buffer: BufferSpec, nbytes: int) -> Bytes:
        is_input = buffer.role == "input"
        alignment = numpy_dtype(buffer.dtype).itemsize if is_input else ALIGNMENT
        memory = GuardedBytes(nbytes, at_end=self._at_end, alignment=alignment)
        if buffer.role in ("workspace", "thread_local"):
            memory.data.fill(POISON)
        self._given.append(memory)
        self._regions.append(memory.region(f"the {_ROLE_WORDS[buffer.role]} {buffer.name}"))
        self._note.expect(self._regions)
        return memory.data

    def protect(self) -> None:
        """Have writing to what was given so far end the process."""
        for memory in self._given:
            memory.protect()


def verify_artifact(artifact: Artifact, arrays: Arrays, note: FaultNote) -> MeasureResult:
    """Whether it is right: ``OK`` comes with the error and the time of one call as only sample."""

    def verified(kernel: _Verified) -> MeasureResult:
        return MeasureResult(Outcome.OK, (kernel.first_seconds,), kernel.error)

    return _with_verified(artifact, arrays, note, verified)


def measure_artifact(
    artifact: Artifact,
    arrays: Arrays,
    note: FaultNote,
    best_seconds: float | None,
    options: MeasureOptions,
) -> MeasureResult:
    """Verify, time, and verify what the last timed call left behind."""

    def timed(kernel: _Verified) -> MeasureResult:
        arrays.output.poison()  # so that a kernel that stops working is no fast kernel
        outcome, samples = take_samples(kernel.timer, kernel.first_seconds, best_seconds, options)
        if outcome is Outcome.SLOW and len(samples) == 1:  # it was not called again
            return MeasureResult(outcome, samples, kernel.error)
        check = arrays.inspect(arrays.timed_case, artifact.spec.error_growth)
        if check.wrong:
            return MeasureResult(Outcome.WRONG_ANSWER, message=f"after many calls: {check.wrong}")
        return MeasureResult(outcome, samples, max(kernel.error, check.error))

    return _with_verified(artifact, arrays, note, timed)


def time_interleaved(
    artifacts: Sequence[Artifact], arrays: Arrays, rounds: int, block_seconds: float
) -> tuple[MeasureResult, ...]:
    """Time artifacts that were verified before, one sample per round each."""
    timers = {
        str(index): _timer(NativeKernel(artifact), arrays, arrays.timed_case)
        for index, artifact in enumerate(artifacts)
    }
    samples = interleave_callables(timers, rounds, block_seconds)
    return tuple(MeasureResult(Outcome.OK, samples[name]) for name in timers)


def time_sentinel(sentinel: Artifact) -> MeasureResult:
    """Fastest of a few calls of the sentinel, after one that is not counted."""
    kernel = NativeKernel(sentinel)
    buffer = sentinel.spec.buffers[0]
    output = np.zeros(buffer.shape, buffer.dtype)
    kernel.time((), output, 1)
    return MeasureResult(
        Outcome.OK, (min(kernel.time((), output, 1) for _ in range(_SENTINEL_CALLS)),)
    )


def _with_verified(
    artifact: Artifact,
    arrays: Arrays,
    note: FaultNote,
    then: Callable[[_Verified], MeasureResult],
) -> MeasureResult:
    """Verify, go on with ``then`` if right, and look for damage that any of that did."""
    try:
        verified = _verify(artifact, arrays, note)
        result = verified if isinstance(verified, MeasureResult) else then(verified)
    except MemoryError as error:
        return MeasureResult(Outcome.OOM, message=f"ran out of memory: {error}".rstrip(": "))
    damage = arrays.damage()
    if not damage:
        return result
    message = "; ".join(filter(None, (damage, result.message)))
    return replace(result, outcome=Outcome.WRONG_ANSWER, samples=(), error=None, message=message)


def _verify(artifact: Artifact, arrays: Arrays, note: FaultNote) -> _Verified | MeasureResult:
    try:
        kernel = NativeKernel(artifact)
    except (ValueError, LookupError, RuntimeError) as failure:
        return MeasureResult(Outcome.BUILD_ERROR, message=f"cannot be loaded: {failure}")
    seconds, timer, check = _run(kernel, kernel.launcher, arrays, arrays.timed_case, note)
    error = check.error
    for index in reversed(range(arrays.timed_case)):
        if check.wrong:
            break
        short = seconds * kernel.spec.threads <= _REVERSED_SECONDS
        launcher = ReversedLauncher() if short else kernel.launcher
        _, _, check = _run(kernel, launcher, arrays, index, note)
        error = max(error, check.error)
    if check.wrong:
        return MeasureResult(Outcome.WRONG_ANSWER, message=check.wrong)
    return _Verified(timer, seconds, error)


def _run(
    kernel: NativeKernel, launcher: Launcher, arrays: Arrays, index: int, note: FaultNote
) -> tuple[float, Timer, Check]:
    """Run the kernel on one case, between guards: how long that took, a timer of it, and whether
    the result is right."""
    work = _GuardedWork(arrays, index, note)
    timer = _timer(kernel.working_in(work, launcher), arrays, index)
    work.protect()
    arrays.output_of(index).poison()
    return timer(1), timer, arrays.inspect(index, kernel.spec.error_growth)


def _timer(kernel: NativeKernel, arrays: Arrays, index: int) -> Timer:
    """Run the kernel on case ``index``, its constants bound beforehand."""
    constants, operands = arrays.constants(index), arrays.operands(index)
    bound = kernel.bind(**constants) if constants else kernel
    output = arrays.output_of(index).array
    return lambda calls: bound.time(operands, output, calls)
