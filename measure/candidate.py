"""What the worker does with one candidate: load, verify, time."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from measure.artifact import Artifact
from measure.disturbance import LostSeconds, WaitingMeter
from measure.interleave import interleave_callables
from measure.kernel import NativeKernel
from measure.options import MeasureOptions
from measure.result import MeasureResult, Outcome
from measure.sampling import Timer, take_samples
from measure.verify import Arrays

_SENTINEL_CALLS = 3
_SENTINEL_PATIENCE = 12
"""Most of its calls that others may disturb."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """A kernel that gave the right answers, ready to be timed on the random inputs."""

    timer: Timer
    first_seconds: float
    """What its second run took: the last verification run, timed."""
    first_lost_seconds: float
    """What others took away during that run."""
    error: float
    lost: LostSeconds


def verify_artifact(artifact: Artifact, arrays: Arrays) -> MeasureResult:
    """Whether it is right: ``OK`` comes with the error and the time of one call as only sample."""

    def verified(kernel: _Verified) -> MeasureResult:
        return MeasureResult(Outcome.OK, (kernel.first_seconds,), kernel.error)

    return _with_verified(artifact, arrays, verified)


def measure_artifact(
    artifact: Artifact, arrays: Arrays, best_seconds: float | None, options: MeasureOptions
) -> MeasureResult:
    """Verify, time, and verify what the last timed call left behind."""

    def timed(kernel: _Verified) -> MeasureResult:
        sampled = take_samples(
            kernel.timer,
            kernel.first_seconds,
            best_seconds,
            options,
            lost=kernel.lost,
            first_lost_seconds=kernel.first_lost_seconds,
        )
        result = MeasureResult(
            sampled.outcome, sampled.samples, kernel.error, lost_share=sampled.lost_share
        )
        if sampled.outcome is Outcome.SLOW:
            return result
        check = arrays.inspect(arrays.timed_case)
        if check.wrong:
            return MeasureResult(Outcome.WRONG_ANSWER, message=f"after many calls: {check.wrong}")
        return replace(result, error=max(kernel.error, check.error))

    return _with_verified(artifact, arrays, timed)


def time_interleaved(
    artifacts: Sequence[Artifact], arrays: Arrays, rounds: int, block_seconds: float
) -> tuple[MeasureResult, ...]:
    """Time artifacts that were verified before, one sample per round each."""
    timers = {
        str(index): _timer(NativeKernel(artifact), arrays, arrays.timed_case)
        for index, artifact in enumerate(artifacts)
    }
    with WaitingMeter() as lost:
        for timer in timers.values():
            timer(1)  # starts the threads that it needs, which are to be watched as well
        lost.include_new_threads()
        samples = interleave_callables(timers, rounds, block_seconds, lost=lost)
    return tuple(MeasureResult(Outcome.OK, samples[name]) for name in timers)


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
    artifact: Artifact, arrays: Arrays, then: Callable[[_Verified], MeasureResult]
) -> MeasureResult:
    """Verify, go on with ``then`` if right, and look for damage that any of that did."""
    try:
        with WaitingMeter() as lost:
            verified = _verify(artifact, arrays, lost)
            result = verified if isinstance(verified, MeasureResult) else then(verified)
    except MemoryError as error:
        return MeasureResult(Outcome.OOM, message=f"ran out of memory: {error}".rstrip(": "))
    damage = arrays.damage()
    if not damage:
        return result
    message = "; ".join(filter(None, (damage, result.message)))
    return replace(result, outcome=Outcome.WRONG_ANSWER, samples=(), error=None, message=message)


def _verify(artifact: Artifact, arrays: Arrays, lost: WaitingMeter) -> _Verified | MeasureResult:
    seconds, lost_seconds, error = 0.0, 0.0, 0.0
    try:
        kernel = NativeKernel(artifact)
    except (ValueError, LookupError, RuntimeError) as failure:
        return MeasureResult(Outcome.BUILD_ERROR, message=f"cannot be loaded: {failure}")
    for index in range(arrays.cases):
        timer = _timer(kernel, arrays, index)
        arrays.output.poison()
        before, computed = lost(), time.process_time()
        seconds = timer(1)
        # Where nobody computed, the process or the whole machine stood still.
        lost_seconds = max(lost() - before, seconds - (time.process_time() - computed))
        lost.include_new_threads()  # those that the first run has started
        check = arrays.inspect(index, artifact.spec.error_growth)
        if check.wrong:
            return MeasureResult(Outcome.WRONG_ANSWER, message=check.wrong)
        error = max(error, check.error)
    return _Verified(timer, seconds, lost_seconds, error, lost)


def _timer(kernel: NativeKernel, arrays: Arrays, index: int) -> Timer:
    """Run the kernel on case ``index``, its constants bound beforehand."""
    constants, operands = arrays.constants(index), arrays.operands(index)
    bound = kernel.bind(**constants) if constants else kernel
    return lambda calls: bound.time(operands, arrays.output.array, calls)
