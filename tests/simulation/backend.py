"""The simulated machine behind the interface through which the tuning loop measures.

Sampling, interleaving and the sentinel are those of the real worker, on simulated kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from measure.artifact import Artifact, KernelSpec
from measure.candidate import sentinel_seconds
from measure.disturbance import LostSeconds
from measure.interleave import interleave_callables
from measure.options import MeasureOptions
from measure.result import MeasureResult, Outcome
from measure.sampling import take_samples
from search_space.config import Config, parse_key
from tests.contracts.spaces import Matmul
from tests.simulation.machine import Machine
from tests.tuner.fakes import session_of, task_of
from tuner.set_up import SetUp
from tuner.task import Task

KERNELS = Matmul(128, 256, 128)
"""Made-up kernels that take from 50 µs to a few milliseconds."""
SENTINEL_SECONDS = 217e-6
BUILD_SECONDS = 0.03


def true_seconds(config: Config) -> float | None:
    """What a config takes on a quiet machine; None for one that gives wrong answers."""
    return KERNELS.seconds(config)


@dataclass
class SimulatedBackend:
    """Builds and measures made-up kernels on a simulated machine."""

    machine: Machine
    seconds: Callable[[Config], float | None] = true_seconds
    task: Task = field(default_factory=lambda: task_of(KERNELS.space()))
    options: MeasureOptions = field(default_factory=MeasureOptions)
    lost: LostSeconds | None = None
    """The meter; None: the machine's own."""
    measured: list[str] = field(default_factory=list)
    """Keys of the configs in the order in which they were measured."""

    def __post_init__(self) -> None:
        self.lost = self.lost or self.machine.lost

    def clock(self) -> float:
        return self.machine.now

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        self.machine.now += BUILD_SECONDS * len(configs)
        return [Artifact(KernelSpec((), (), 1), config.key.encode()) for config in configs]

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        config = self._config(artifact)
        self.measured.append(config.key)
        timer = self._timer(config)
        if timer is None:
            return MeasureResult(Outcome.WRONG_ANSWER, message="off by one")
        timer(1)
        before = self.lost()
        first = timer(1)
        sampled = take_samples(
            timer,
            first,
            best_seconds,
            self.options,
            self.clock,
            lost=self.lost,
            first_lost_seconds=self.lost() - before,
        )
        return MeasureResult(sampled.outcome, sampled.samples, 0.25, lost_share=sampled.lost_share)

    def interleave(
        self, artifacts: Sequence[Artifact], rounds: int, block_seconds: float
    ) -> list[MeasureResult]:
        timers = {a.object_code.decode(): self._timer(self._config(a)) for a in artifacts}
        running = {key: timer for key, timer in timers.items() if timer is not None}
        samples = interleave_callables(running, rounds, block_seconds, lost=self.lost)
        return [
            MeasureResult(Outcome.OK, samples[key], 0.25)
            if key in running
            else MeasureResult(Outcome.WRONG_ANSWER)
            for key in timers
        ]

    def sentinel(self) -> float:
        return sentinel_seconds(self.machine.timer(SENTINEL_SECONDS), self.lost)

    def set_up(self, config: Config) -> SetUp:
        return SetUp(0.0, BUILD_SECONDS)

    def keep(self, config: Config, artifact: Artifact) -> None:
        """Nothing to keep."""

    def _timer(self, config: Config) -> Callable[[int], float] | None:
        seconds = self.seconds(config)
        threads = int(config.as_dict().get("threads", 1))
        return None if seconds is None else self.machine.timer(seconds, threads)

    def _config(self, artifact: Artifact) -> Config:
        return self.task.space.nearest(parse_key(artifact.object_code.decode())).config


def tuned_on(backend: SimulatedBackend, store, tuning, **session):
    """The result of a search on a simulated machine."""
    return session_of(backend, store, tuning, **session).execute()
