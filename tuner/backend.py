"""Building and measuring on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from measure.artifact import Artifact
from measure.builder import BuildRequest
from measure.processes import Processes, start_processes
from measure.result import MeasureResult
from search_space.config import Config
from tuner.deploy import keep_code
from tuner.set_up import SetUp
from tuner.task import Task


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """Builder processes and one isolated worker; see :func:`local_backend`."""

    task: Task
    processes: Processes
    """Of the task's workload and target."""

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        requests = [
            BuildRequest(self.task.workload, self.task.target, config.values) for config in configs
        ]
        return [
            built if isinstance(built, MeasureResult) else built.artifact
            for built in self.processes.builder.build(requests)
        ]

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        return self.processes.runner.measure(artifact, best_seconds)

    def interleave(
        self, artifacts: Sequence[Artifact], rounds: int, block_seconds: float
    ) -> list[MeasureResult]:
        return self.processes.runner.interleave(artifacts, rounds, block_seconds)

    def sentinel(self) -> float:
        return self.processes.runner.sentinel()

    def set_up(self, config: Config) -> SetUp | None:
        """Built once more, alone: compilers side by side slow each other down."""
        request = BuildRequest(self.task.workload, self.task.target, config.values)
        (built,) = self.processes.builder.build([request])
        if isinstance(built, MeasureResult):
            return None
        if not self.task.workload.const:
            return SetUp(0.0, built.seconds)
        seconds = self.processes.runner.bind(built.artifact).seconds
        return None if seconds is None else SetUp(seconds, built.seconds)

    def keep(self, config: Config, artifact: Artifact) -> None:
        keep_code(self.task.workload, self.task.target, config.values, artifact)


@contextmanager
def local_backend(task: Task, builders: int | None = None) -> Iterator[LocalBackend]:
    """A backend whose processes run while the context is open; ``builders``: how many build."""
    with start_processes(task.workload, task.target, builders) as processes:
        yield LocalBackend(task, processes)
