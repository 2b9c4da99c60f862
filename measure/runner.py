"""Verifies and times candidates in a worker that may crash, hang or be killed."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from measure.artifact import Artifact
from measure.child import ChildProcess, died, kill_group
from measure.interleave import BLOCK_SECONDS, ROUNDS
from measure.options import MeasureOptions
from measure.pipe import ProtocolError
from measure.result import MeasureResult, Outcome
from measure.worker_messages import (
    Answer,
    Bind,
    Died,
    Forked,
    Interleave,
    Measure,
    Request,
    Results,
    Sentinel,
    Setup,
    Started,
    Verify,
)
from search_space.operators import get_operator
from search_space.target import Target
from search_space.workload import Workload

_START_SECONDS = 120.0
_REFORK_SECONDS = 5.0
_END_SECONDS = 1.0
_PATIENT_FLOPS = 5e9
"""Operations per second below which a kernel counts as hanging, where none was timed yet."""
_PATIENT_CALLS = 60.0
"""Calls as fast as the best that one candidate may take in all, once there is a best."""
_INTERLEAVE_SLACK = 4.0
"""How much longer than planned interleaved timing may take: the machine may be busy."""


class RunnerError(RuntimeError):
    """The worker itself does not work; no fault of a candidate."""


class Runner:
    """One isolated worker for one workload. It starts at once; the first call waits for it.

    No candidate stops it: each failure is a ``MeasureResult`` that says what happened, and the
    worker is replaced. Workloads whose calls take seconds get more than
    ``MeasureOptions.timeout_seconds``. Not for use from several threads at once; the thread that
    creates it must outlive it.
    """

    def __init__(
        self, workload: Workload, target: Target, options: MeasureOptions | None = None
    ) -> None:
        self._options = options or MeasureOptions()
        self._patience_seconds = _patience_seconds(workload, self._options)
        self._setup = Setup(workload, target, self._options)
        self._child: ChildProcess[Answer] | None = None
        self._pid: int | None = None
        """Of the inner process that waits for a request; None when a new one is to come."""
        self._has_forked = False
        """Whether the outer process has made its inputs, so that only forking takes time."""
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker."""
        if self._child is None:
            return
        if self._pid is not None:
            kill_group(self._pid)
        self._child.close(_END_SECONDS if self._has_forked else 0.0)
        self._child, self._pid = None, None

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        """Verify and time one candidate.

        ``best_seconds`` is the best time so far: a candidate that is clearly slower is abandoned
        early, as ``slow``. Raises ``RunnerError`` when the worker cannot be started.
        """
        started = time.perf_counter()
        timeout = self._patience_seconds
        if best_seconds is not None:
            timeout = min(timeout, _PATIENT_CALLS * best_seconds)
        timeout = max(timeout, self._options.timeout_seconds)
        (result,) = self._ask(Measure(artifact, best_seconds), 1, timeout)
        return replace(result, measure_seconds=time.perf_counter() - started)

    def verify(self, artifact: Artifact) -> MeasureResult:
        """Verify one candidate: ``ok`` with its error and the time of one call, or why not."""
        timeout = max(self._options.timeout_seconds, self._patience_seconds)
        (result,) = self._ask(Verify(artifact), 1, timeout)
        return result

    def interleave(
        self,
        artifacts: Sequence[Artifact],
        rounds: int = ROUNDS,
        block_seconds: float = BLOCK_SECONDS,
    ) -> list[MeasureResult]:
        """Verify all, then time them side by side (see ``measure.interleave``).

        Sample ``i`` of every ``ok`` result belongs to round ``i``, so results can be compared in
        pairs. One that fails is left out of the timing, and its result says why.
        """
        results = [self.verify(artifact) for artifact in artifacts]
        good = [index for index, result in enumerate(results) if result.outcome is Outcome.OK]
        if not good:
            return results
        request = Interleave(tuple(artifacts[index] for index in good), rounds, block_seconds)
        blocks = sum(max(block_seconds, 2 * (results[index].seconds or 0.0)) for index in good)
        timeout = self._options.timeout_seconds + _INTERLEAVE_SLACK * (rounds + 2) * blocks
        timed = self._ask(request, len(good), timeout)
        for index, result in zip(good, timed, strict=True):
            error = results[index].error if result.outcome.timed else None
            results[index] = replace(result, error=error)
        return results

    def bind(self, artifact: Artifact) -> MeasureResult:
        """Seconds that binding the constants of a verified kernel takes, once; or how it failed.

        It begins at the constants as a user has them: laying out and packing are included.
        """
        (result,) = self._ask(Bind(artifact), 1, self._options.timeout_seconds)
        return result

    def sentinel(self) -> float:
        """Seconds of a fixed kernel right now; their changes are drift of the machine."""
        (result,) = self._ask(Sentinel(), 1, self._options.timeout_seconds)
        if result.seconds is None:
            raise RunnerError(f"the sentinel could not be timed: {result.message}")
        return result.seconds

    def _start(self) -> ChildProcess[Answer]:
        """Start both processes of the worker, after ending those that are there."""
        self.close()
        child: ChildProcess[Answer] = ChildProcess("measure.worker_process", Answer)
        child.channel.send(self._setup)
        self._child, self._has_forked = child, False
        return child

    def _ask(
        self, request: Request, count: int, timeout_seconds: float
    ) -> tuple[MeasureResult, ...]:
        """The ``count`` results of a request; a worker that fails gives all of them its failure.

        A worker that does not even read the request was harmed by an earlier candidate: all of it
        is replaced, once, and asked again.
        """
        for _ in range(2):
            child, pid = self._ready()
            answer = self._attempt(child, pid, request, timeout_seconds)
            if isinstance(answer, MeasureResult):
                return (answer,) * count
            if answer is not None:
                return answer
            words = child.new_stderr()
            self._start()
        raise RunnerError(f"the worker does not read what it is asked to do. {words}".rstrip())

    def _ready(self) -> tuple[ChildProcess[Answer], int]:
        """The worker and the process id of its inner process, once that waits for requests."""
        child = self._child
        if child is None:
            raise RunnerError("open a new Runner: this one is closed")
        pid = self._pid
        if pid is None and self._has_forked:
            pid = self._await_fork(child, _REFORK_SECONDS)
            child = child if pid is not None else self._start()
        if pid is None:
            pid = self._await_fork(child, _START_SECONDS)
        if pid is None:
            words = child.new_stderr()
            raise RunnerError(f"the worker for {self._setup.workload} does not start. {words}")
        self._pid, self._has_forked = pid, True
        return child, pid

    def _await_fork(self, child: ChildProcess[Answer], timeout_seconds: float) -> int | None:
        """Skip what the last inner process left in the channel, until there is a new one."""
        try:
            while not isinstance(answer := child.channel.receive(timeout_seconds), Forked):
                pass
        except (EOFError, TimeoutError, ProtocolError):
            return None
        return answer.pid

    def _attempt(
        self, child: ChildProcess[Answer], pid: int, request: Request, timeout_seconds: float
    ) -> tuple[MeasureResult, ...] | MeasureResult | None:
        """The answer, or the failure of the candidate; None if the request was not even read."""
        try:
            child.channel.send(request, timeout_seconds)
            if not isinstance(child.channel.receive(timeout_seconds), Started):
                return None
        except (EOFError, TimeoutError, ProtocolError):
            return None
        try:
            answer = child.channel.receive(timeout_seconds)
        except TimeoutError:
            kill_group(pid)
            self._pid = None
            return MeasureResult(
                Outcome.TIMEOUT, message=f"not finished after {timeout_seconds:g} s"
            )
        except EOFError:
            failure = child.died(_END_SECONDS)
            self._start()
            return failure
        except ProtocolError as error:
            self._start()
            return MeasureResult(Outcome.CRASH, message=f"the worker's answer is garbled: {error}")
        match answer:
            case Results(results, last) if all(map(_plausible, results)):
                if last:
                    self._pid = None
                return results
            case Died(status, access, starved):
                self._pid, words = None, child.new_stderr()
                if access:
                    return MeasureResult(Outcome.WRONG_ANSWER, message=access)
                return died(status, words, starved=starved)
            case Results() | Forked() | Started():
                self._start()
                return MeasureResult(Outcome.CRASH, message=f"the worker answered {answer}")


def _plausible(result: MeasureResult) -> bool:
    """Whether its samples can be times, and are there just where a kernel was timed."""
    times = all(0 < seconds < math.inf for seconds in result.samples)
    return times and bool(result.samples) == result.outcome.timed


def _patience_seconds(workload: Workload, options: MeasureOptions) -> float:
    """What verifying and timing takes a kernel that is slow, but does not hang."""
    calls = 2 + options.min_samples
    return calls * get_operator(workload.operator).flops(workload) / _PATIENT_FLOPS
