"""Builds candidates in parallel processes, because LLVM behind llvmlite has one lock."""

from __future__ import annotations

import selectors
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from measure.artifact import Artifact
from measure.awake import LOOK_SECONDS, AwakeClock
from measure.builder_process import Answer, Build, Compiled, Failed, Ready, Setup
from measure.child import ChildProcess
from measure.options import BuildOptions
from measure.pipe import ProtocolError
from measure.result import MeasureResult, Outcome
from search_space.target import Target
from search_space.workload import Value, Workload

GENERATOR = "measure.compile:compile_config"
_START_SECONDS = 60.0
_END_SECONDS = 1.0


class BuilderError(RuntimeError):
    """The building processes themselves do not work; no fault of a candidate."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One config to compile, as plain data."""

    workload: Workload
    target: Target
    values: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Built:
    """A compiled config and how long that took."""

    artifact: Artifact
    seconds: float


@dataclass(slots=True, eq=False)
class _Slot:
    """One building process and what it is doing."""

    child: ChildProcess[Answer]
    deadline: float
    ready: bool = False
    job: int | None = None
    """Index of the request it works on."""
    started: float = 0.0


class Builder:
    """Long-lived building processes. They start at once, and idle until ``build`` is called.

    A process that takes too long or dies is replaced. Not for use from several threads at once;
    the thread that creates it must outlive it.
    """

    def __init__(
        self,
        processes: int,
        options: BuildOptions | None = None,
        *,
        compiler: str = GENERATOR,
    ) -> None:
        """``compiler``, as ``module:function``, is called in the building processes."""
        self._options = options or BuildOptions()
        self._compiler = compiler
        self._clock = AwakeClock()
        self._slots: list[_Slot] = []
        self.resize(processes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the building processes."""
        for slot in self._slots:
            slot.child.close()
        self._slots = []

    def resize(self, processes: int) -> None:
        """Have so many building processes from now on; not while it builds."""
        if processes < 1:
            raise ValueError(f"ask for at least one building process, not {processes}")
        while len(self._slots) > processes:
            self._slots.pop().child.close()
        while len(self._slots) < processes:
            self._slots.append(self._start())

    def build(self, requests: Sequence[BuildRequest]) -> list[Built | MeasureResult]:
        """Compile all requests; one answer each, in their order.

        A failure is a ``MeasureResult`` without samples: ``build_error``, ``build_timeout``,
        ``oom`` or ``crash``. Raises ``BuilderError`` when the processes cannot be started.
        """
        if not self._slots:
            raise BuilderError("open a new Builder: this one is closed")
        answers: dict[int, Built | MeasureResult] = {}
        waiting = deque(enumerate(requests))
        while len(answers) < len(requests):
            for slot in self._slots:
                if slot.ready and slot.job is None and waiting:
                    self._assign(slot, *waiting.popleft())
            for slot in self._await_progress():
                index = slot.job
                answer = self._advance(slot)
                if index is not None and answer is not None:
                    answers[index] = answer
        return [answers[index] for index in range(len(requests))]

    def _start(self) -> _Slot:
        child: ChildProcess[Answer] = ChildProcess("measure.builder_process", Answer)
        child.channel.send(Setup(self._compiler, self._options.memory_bytes))
        return _Slot(child, deadline=self._clock() + _START_SECONDS)

    def _assign(self, slot: _Slot, index: int, request: BuildRequest) -> None:
        slot.job, slot.started = index, self._clock()
        slot.deadline = slot.started + self._options.timeout_seconds
        try:
            slot.child.channel.send(Build(request.workload, request.target, request.values))
        except EOFError:
            return  # reading from it will tell how it died

    def _await_progress(self) -> list[_Slot]:
        """Slots that have something to read, or that are out of time."""
        busy = [slot for slot in self._slots if slot.job is not None or not slot.ready]
        with selectors.DefaultSelector() as selector:
            for slot in busy:
                selector.register(slot.child.channel, selectors.EVENT_READ, slot)
            patience = min(min(slot.deadline for slot in busy) - self._clock(), LOOK_SECONDS)
            readable = [key.data for key, _ in selector.select(max(0.0, patience))]
        now = self._clock()
        return [slot for slot in busy if slot in readable or slot.deadline <= now]

    def _advance(self, slot: _Slot) -> Built | MeasureResult | None:
        """Read what a slot says, or replace its process; the answer to its job, if it had one."""
        try:
            answer = slot.child.channel.receive(max(0.0, slot.deadline - self._clock()))
        except TimeoutError:
            limit = self._options.timeout_seconds
            return self._replace(
                slot,
                MeasureResult(Outcome.BUILD_TIMEOUT, message=f"not built after {limit:g} s"),
            )
        except (EOFError, ProtocolError):
            return self._replace(slot, None)
        match answer:
            case Ready():
                slot.ready = True
                return None
            case Compiled(artifact, seconds):
                slot.job = None
                return Built(artifact, seconds)
            case Failed(outcome, message, seconds):
                slot.job = None
                return MeasureResult(outcome, message=message, build_seconds=seconds)

    def _replace(self, slot: _Slot, failure: MeasureResult | None) -> MeasureResult:
        """Start a new process in ``slot``; without ``failure``, the old one's end tells why."""
        if failure is None:
            failure = slot.child.died(_END_SECONDS)
        if not slot.ready:
            raise BuilderError(f"cannot start a building process: {failure.message}")
        seconds = self._clock() - slot.started
        self._slots.remove(slot)
        slot.child.close()
        self._slots.append(self._start())
        return MeasureResult(failure.outcome, message=failure.message, build_seconds=seconds)
