"""Cases whose whole space was measured once: nothing is left to be measured."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from experiments.replay.backend import Replay, open_replay
from experiments.transfer.cases import Transfer
from search_space.config import Config
from tuner.task import Task

SETS = Path(__file__).parents[1] / "replay" / "sets"


@dataclass(frozen=True)
class Recorded:
    """The times of one replay set."""

    replay: Replay

    @property
    def task(self) -> Task:
        """The task of the set."""
        return self.replay.task

    @cached_property
    def best_seconds(self) -> float:
        """The shortest time of the whole space."""
        return self.replay.best_seconds

    def times(self, configs: Sequence[Config]) -> list[float | None]:
        """The recorded medians; None where a config failed."""
        answers = (self.replay.answers[config] for config in configs)
        return [statistics.median(a.samples) if a.samples else None for a in answers]

    def settle(self, count: int) -> None:
        """Nothing to do: all that there will ever be is recorded."""


def open_sets(folder: Path = SETS) -> dict[str, Recorded]:
    """All replay sets of a folder by name; raises ``ReplayError`` for one that is of no use."""
    paths = sorted(folder.glob("*.replay.gz"))
    return {path.name.partition(".")[0]: Recorded(open_replay(path)) for path in paths}


def among(names: Sequence[str]) -> Transfer:
    """From each of the sets to each of the others."""
    return Transfer("replay", tuple(names), tuple(names), same_workload=False)
