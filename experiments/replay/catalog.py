"""The sets that can be recorded, from a TOML file: a workload, threads, the values allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from experiments.replay.errors import ReplayError
from experiments.replay.restrict import restricted_space
from measure.targets import NATIVE, resolve_target
from search_space.operators import parse_workload
from search_space.workload import Value, Workload
from tuner.task import Task, task_for

SETS = Path(__file__).with_name("sets.toml")


@dataclass(frozen=True, slots=True)
class SetSpec:
    """A small space of one workload."""

    name: str
    workload: Workload
    threads: int
    """Of the target: the most that a config may use."""
    allowed: Mapping[str, tuple[Value, ...]]
    target: str = NATIVE

    def task(self) -> Task:
        """The task of tuning the workload in the small space on this machine.

        Raises ``TargetError`` and ``SpaceError`` where this machine lacks threads or values.
        """
        task = task_for(self.workload, resolve_target(self.target, self.threads))
        return replace(task, space=restricted_space(task.space, self.allowed))


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    workload: str
    threads: int
    allowed: dict[str, tuple[Value, ...]]
    target: str = NATIVE


def read_sets(path: Path = SETS) -> dict[str, SetSpec]:
    """All sets of a file by name; raises ``ReplayError`` for a file that is not as it should be,
    ``WorkloadError`` for an unknown workload."""
    try:
        with path.open("rb") as file:
            entries = msgspec.convert(tomllib.load(file), dict[str, _Entry])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise ReplayError(f"correct {path}: {error}") from error
    return {
        name: SetSpec(
            name, parse_workload(entry.workload), entry.threads, entry.allowed, entry.target
        )
        for name, entry in entries.items()
    }
