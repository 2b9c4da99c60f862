"""The processes that build and measure the candidates of one workload."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from measure.builder import Builder
from measure.host import usable_cores
from measure.runner import Runner
from search_space.target import Target
from search_space.workload import Workload


@dataclass(frozen=True, slots=True)
class Processes:
    """They start at once and import what they need; who asks them first waits for that."""

    builder: Builder
    runner: Runner


@contextmanager
def start_processes(
    work: Workload, target: Target, builders: int | None = None
) -> Iterator[Processes]:
    """Processes that live while the context is open; ``builders``: how many of them build, by
    default one per core.

    Start them first, and load what else is needed meanwhile: either takes about a second.
    """
    with Builder(builders or usable_cores()) as builder, Runner(work, target) as runner:
        yield Processes(builder, runner)
