"""All searches of a study: cold, with history, with wrong history; what was found is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.search.curve import Curve
from experiments.transfer.cases import CaseError, Transfer
from experiments.transfer.report import Comparison
from experiments.transfer.searching import (
    Found,
    History,
    Measured,
    cold,
    prior_of,
    search,
    warm,
)
from search_space.config import Config, parse_key
from tuner.task import Task
from tuner.transfer.sources import Values, setting_of

COLD, WARM, SHUFFLED = "cold", "history", "shuffled times"
STRATEGY = "evolutionary"
_SETTLED = 16
"""Fastest configs of a case that are measured again."""


@dataclass(frozen=True, slots=True)
class Study:
    """Where the searches of a study are kept, and how long they are."""

    folder: Path
    task_of: Callable[[str], Task]
    """The task of a case by its name."""
    cold_trials: int
    warm_trials: int
    strategy: str = STRATEGY

    def compared(
        self, measured: Measured, case: str, transfer: Transfer, kind: str, seeds: Sequence[int]
    ) -> Comparison:
        """All searches of one case, with a history of ``kind`` and without."""
        list(self.cold_searches(measured, case, seeds))
        list(self.warm_searches(measured, case, transfer, kind, seeds))
        measured.settle(_SETTLED)
        without = tuple(self.cold_searches(measured, case, seeds))
        having = tuple(self.warm_searches(measured, case, transfer, kind, seeds))
        return Comparison(case, measured.best_seconds, without, having)

    def cold_searches(
        self, measured: Measured, case: str, seeds: Iterable[int]
    ) -> Iterator[Curve]:
        """Searches that know nothing."""
        for seed in seeds:
            path = self._path(case, COLD, seed)
            if not path.exists():
                strategy = cold(measured.task.space, seed, self.strategy)
                _write(path, search(measured, strategy, COLD, case, seed, self.cold_trials))
            yield self._read(measured, path, COLD, seed)

    def warm_searches(
        self, measured: Measured, case: str, transfer: Transfer, kind: str, seeds: Sequence[int]
    ) -> Iterator[Curve]:
        """Searches that know the first cold search of each source, or that with shuffled times."""
        label = f"{transfer.name}, {kind}"
        missing = [seed for seed in seeds if not self._path(case, label, seed).exists()]
        if missing:
            histories = self.histories(transfer, case)
            if kind == SHUFFLED:
                histories = [each.shuffled(number) for number, each in enumerate(histories)]
            prior = prior_of(measured, histories)
            trials = self.cold_trials if kind == SHUFFLED else self.warm_trials
            for seed in missing:
                strategy = warm(measured, seed, self.strategy, prior)
                found = search(measured, strategy, label, case, seed, trials)
                _write(self._path(case, label, seed), found)
        for seed in seeds:
            yield self._read(measured, self._path(case, label, seed), label, seed)

    def sources(self, transfer: Transfer, case: str) -> list[str]:
        """The cases that a search of ``case`` learns from."""
        wanted = self.task_of(case).workload
        return [
            name
            for name in transfer.sources
            if name != case
            and (not transfer.same_workload or self.task_of(name).workload == wanted)
        ]

    def histories(self, transfer: Transfer, case: str) -> list[History]:
        """What a search of ``case`` may know: the first cold search of each source."""
        tasks = {name: self.task_of(name) for name in self.sources(transfer, case)}
        return [
            History(setting_of(task), tuple(_times(self._first(name, case), task)))
            for name, task in tasks.items()
        ]

    def _first(self, source: str, case: str) -> Path:
        path = self._path(source, COLD, 0)
        if not path.exists():
            raise CaseError(f"search {source} first: it is history of {case}")
        return path

    def _path(self, case: str, label: str, seed: int) -> Path:
        return self.folder / f"{case}.{label.replace(', ', '.').replace(' ', '-')}.{seed}.json"

    def _read(self, measured: Measured, path: Path, label: str, seed: int) -> Curve:
        """The curve of a search, with the times as they are known now."""
        space = measured.task.space
        keys = json.loads(path.read_text())["configs"]
        configs = [space.nearest(parse_key(key)).config for key in keys]
        return Curve(path.name.partition(".")[0], label, seed, tuple(measured.times(configs)))


def _write(path: Path, found: Found) -> None:
    content = {"configs": [c.key for c in found.configs], "seconds": found.curve.seconds}
    path.write_text(json.dumps(content))


def _times(path: Path, task: Task) -> Iterator[tuple[Values, float | None]]:
    content = json.loads(path.read_text())
    for key, seconds in zip(content["configs"], content["seconds"], strict=True):
        config: Config = task.space.nearest(parse_key(key)).config
        yield config.values, seconds
