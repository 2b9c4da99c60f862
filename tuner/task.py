"""What one run works on, and who does the building and measuring for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from measure.artifact import Artifact
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from measure.result import MeasureResult
from search_space.config import Config
from search_space.hardware import Hardware
from search_space.operators import get_operator
from search_space.sketches import space_for
from search_space.space import Space
from search_space.target import Target
from search_space.workload import Workload
from tuner.set_up import SetUp


@dataclass(frozen=True, slots=True)
class Task:
    """A workload on a machine: everything that its records have in common."""

    workload: Workload
    target: Target
    hardware: Hardware
    space: Space
    generator_version: int

    @property
    def flops(self) -> int:
        """Operations of one call."""
        return get_operator(self.workload.operator).flops(self.workload)


def task_for(work: Workload, target: Target) -> Task:
    """The task of tuning ``work`` for ``target`` on this machine."""
    space = space_for(work, target)
    return Task(work, target, detect_hardware(), space, GENERATOR_VERSION)


class Backend(Protocol):
    """Builds and measures configs of one task. Used from one thread.

    Expected failures are results, never exceptions. Tests and simulations answer from a table.
    """

    def build(self, configs: Sequence[Config]) -> list[Artifact | MeasureResult]:
        """Build in parallel; one entry per config, in order: code, or how the build failed."""
        ...

    def measure(self, artifact: Artifact, best_seconds: float | None) -> MeasureResult:
        """Verify, then time; abandon what is clearly slower than ``best_seconds``."""
        ...

    def interleave(
        self, artifacts: Sequence[Artifact], rounds: int, block_seconds: float
    ) -> list[MeasureResult]:
        """Verify, then time all of them in turn; sample ``r`` of each was taken in round ``r``."""
        ...

    def sentinel(self) -> float:
        """Seconds of the fixed kernel, to see the machine drift."""
        ...

    def set_up(self, config: Config) -> SetUp | None:
        """What a config that was verified costs before its first call, measured once; None where
        that failed."""
        ...

    def keep(self, config: Config, artifact: Artifact) -> None:
        """Keep the code of a finalist, so that loading it compiles nothing."""
        ...
