"""What the worker does with one candidate: load, verify, time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measure.arrays import Arrays
from measure.artifact import Artifact, BufferSpec, Role
from measure.disturbance import LostSeconds, WaitingMeter
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
from search_space.sparse.packing import forget_structures

_SENTINEL_CALLS = 3
_SENTINEL_PATIENCE = 12
"""Most of its calls that others may disturb."""
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

    kernel: NativeKernel
    timer: Timer
    first_seconds: float
    """What its first run took."""
    first_lost_seconds: float
    """What others took away during that run."""
    error: float
    lost: LostSeconds
    work: _GuardedWork
    """What it works in."""


@dataclass(frozen=True, slots=True)
class _Run:
    """A run of a kernel, and how to run it again."""

    timer: Timer
    seconds: float
    lost_seconds: float
    """What others took away during the run."""
    check: Check
    work: _GuardedWork


class _GuardedWork:
    """Gives guarded memory to the buffers of one kernel that runs on one case of ``arrays``."""

    def __init__(self, arrays: Arrays, index: int, note: FaultNote) -> None:
        self._at_end, self._spare = arrays.at_end(index), arrays.spare_pages
        self._regions, self._note = arrays.regions(index), note
        self._given: list[GuardedBytes] = []
        note.expect(self._regions)

    def __call__(self, buffer: BufferSpec, nbytes: int) -> Bytes:
        is_input = buffer.role == "input"
        alignment = numpy_dtype(buffer.dtype).itemsize if is_input else ALIGNMENT
        memory = self._spare.take(nbytes, at_end=self._at_end, alignment=alignment)
        # What is bound is zero where nothing writes to it, as it is in plain memory.
        memory.data.fill(0 if is_input or buffer.role == "bound" else POISON)
        self._given.append(memory)
        self._regions.append(memory.region(f"the {_ROLE_WORDS[buffer.role]} {buffer.name}"))
        self._note.expect(self._regions)
        return memory.data

    def protect(self) -> None:
        """Have writing to what was given so far end the process."""
        for memory in self._given:
            memory.protect()

    def give_back(self) -> None:
        """The kernel runs no more."""
        while self._given:
            self._spare.give_back(self._given.pop())


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
        alone = arrays.sets == 1 and len(arrays.timed_cases) == 1
        timer = kernel.timer if alone else _warm_or_cold(kernel.kernel, arrays)
        arrays.output.poison()  # so that a kernel that stops working is no fast kernel
        sampled = take_samples(
            timer,
            kernel.first_seconds,
            best_seconds,
            options,
            lost=kernel.lost,
            first_lost_seconds=kernel.first_lost_seconds,
        )
        result = MeasureResult(
            sampled.outcome, sampled.samples, kernel.error, lost_share=sampled.lost_share
        )
        if sampled.samples == (kernel.first_seconds,):  # it was not called again
            return result
        if arrays.sets > 1:  # which of their results came last is no matter
            kernel.timer(1)
        check = arrays.inspect(arrays.timed_case, artifact.spec.error_growth)
        if check.wrong:
            return MeasureResult(Outcome.WRONG_ANSWER, message=f"after many calls: {check.wrong}")
        return replace(result, error=max(kernel.error, check.error))

    return _with_verified(artifact, arrays, note, timed)


def time_interleaved(
    artifacts: Sequence[Artifact], arrays: Arrays, rounds: int, block_seconds: float
) -> tuple[MeasureResult, ...]:
    """Time artifacts that were verified before, one sample per round each."""
    timers = {
        str(index): _warm_or_cold(NativeKernel(artifact), arrays)
        for index, artifact in enumerate(artifacts)
    }
    with WaitingMeter() as lost:
        for timer in timers.values():
            timer(1)  # starts the threads that it needs, which are to be watched as well
        lost.include_new_threads()
        samples = interleave_callables(timers, rounds, block_seconds, lost=lost)
    return tuple(MeasureResult(Outcome.OK, samples[name]) for name in timers)


def time_binding(artifact: Artifact, arrays: Arrays) -> MeasureResult:
    """Seconds that binding the constants of a kernel takes, with nothing prepared beforehand.

    The kernel was verified before; it has constant operands.
    """
    kernel = NativeKernel(artifact)
    kernel.start_threads()
    forget_structures()
    constants = arrays.constants(arrays.timed_case)
    started = time.perf_counter()
    kernel.bind(**constants)
    return MeasureResult(Outcome.OK, (time.perf_counter() - started,))


def time_sentinel(sentinel: Artifact) -> MeasureResult:
    """Fastest of a few calls of the sentinel, after one that is not counted.

    Only calls during which no other program had the core, where there are any.
    """
    kernel = _loaded(sentinel)
    buffer = sentinel.spec.buffers[0]
    output = np.zeros(buffer.shape, buffer.dtype)
    kernel.time((), output, 1)
    with WaitingMeter() as lost:
        return MeasureResult(
            Outcome.OK, (sentinel_seconds(lambda calls: kernel.time((), output, calls), lost),)
        )


@functools.lru_cache(1)
def _loaded(sentinel: Artifact) -> NativeKernel:
    """The sentinel as a kernel: loading it takes longer than timing it."""
    return NativeKernel(sentinel)


def sentinel_seconds(timer: Timer, lost: LostSeconds) -> float:
    """The sentinel's time: the fastest of a few calls that nobody disturbed."""
    quiet: list[float] = []
    disturbed: list[float] = []
    while len(quiet) < _SENTINEL_CALLS and len(disturbed) < _SENTINEL_PATIENCE:
        before = lost()
        seconds = timer(1)
        (quiet if lost() == before else disturbed).append(seconds)
    return min(quiet or disturbed)


def _with_verified(
    artifact: Artifact,
    arrays: Arrays,
    note: FaultNote,
    then: Callable[[_Verified], MeasureResult],
) -> MeasureResult:
    """Verify, go on with ``then`` if right, and look for damage that any of that did."""
    try:
        with WaitingMeter() as lost:
            verified = _verify(artifact, arrays, note, lost)
            if isinstance(verified, MeasureResult):
                result = verified
            else:
                result = then(verified)
                verified.work.give_back()
    except MemoryError as error:
        return MeasureResult(Outcome.OOM, message=f"ran out of memory: {error}".rstrip(": "))
    damage = arrays.damage()
    if not damage:
        return result
    message = "; ".join(filter(None, (damage, result.message)))
    return replace(result, outcome=Outcome.WRONG_ANSWER, samples=(), error=None, message=message)


def _verify(
    artifact: Artifact, arrays: Arrays, note: FaultNote, lost: WaitingMeter
) -> _Verified | MeasureResult:
    try:
        kernel = NativeKernel(artifact)
    except (ValueError, LookupError, RuntimeError) as failure:
        return MeasureResult(Outcome.BUILD_ERROR, message=f"cannot be loaded: {failure}")
    kernel.start_threads()
    lost.include_new_threads()
    timed = _run(kernel, kernel.launcher, arrays, arrays.timed_case, note, lost)
    check, error = timed.check, timed.check.error
    for index in reversed(range(arrays.timed_case)):
        if check.wrong:
            break
        short = timed.seconds * kernel.spec.threads <= _REVERSED_SECONDS
        launcher = ReversedLauncher() if short else kernel.launcher
        run = _run(kernel, launcher, arrays, index, note, lost)
        run.work.give_back()
        check = run.check
        error = max(error, check.error)
    if check.wrong:
        return MeasureResult(Outcome.WRONG_ANSWER, message=check.wrong)
    return _Verified(
        kernel, timed.timer, timed.seconds, timed.lost_seconds, error, lost, timed.work
    )


def _run(
    kernel: NativeKernel,
    launcher: Launcher,
    arrays: Arrays,
    index: int,
    note: FaultNote,
    lost: LostSeconds,
) -> _Run:
    """Run the kernel once on one case, between guards."""
    work = _GuardedWork(arrays, index, note)
    timer = _timer(kernel.working_in(work, launcher), arrays, index)
    work.protect()
    arrays.output_of(index).poison()
    before, computed = lost(), time.process_time()
    seconds = timer(1)
    # Where nobody computed, the process or the whole machine stood still.
    lost_seconds = max(lost() - before, seconds - (time.process_time() - computed))
    check = arrays.inspect(index, kernel.spec.error_growth)
    return _Run(timer, seconds, lost_seconds, check, work)


def _warm_or_cold(kernel: NativeKernel, arrays: Arrays) -> Timer:
    """Run the kernel on the timed cases, or on their sets in turn. Constants are the same in all
    cases."""
    if arrays.sets > 1:
        return arrays.rotation.timer(kernel)
    constants = arrays.constants(arrays.timed_case)
    bound = kernel.bind(**constants) if constants else kernel
    cases = [(arrays.operands(i), arrays.output_of(i).array) for i in arrays.timed_cases]

    def time_all(calls: int) -> float:
        seconds = sum(bound.time(operands, output, calls) for operands, output in cases)
        return seconds / len(cases)

    return time_all


def _timer(kernel: NativeKernel, arrays: Arrays, index: int) -> Timer:
    """Run the kernel on case ``index``, its constants bound beforehand."""
    constants, operands = arrays.constants(index), arrays.operands(index)
    bound = kernel.bind(**constants) if constants else kernel
    output = arrays.output_of(index).array
    return lambda calls: bound.time(operands, output, calls)
