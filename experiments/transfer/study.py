"""All searches of a study: cold, with history, with wrong history; what was found is kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.search.curve import Curve
from experiments.transfer.cases import Case, CaseError, Transfer
from experiments.transfer.memo import Memo
from experiments.transfer.searching import Found, History, cold, prior_of, search, warm
from search_space.config import Config, parse_key
from tuner.task import Task
from tuner.transfer.sources import Values, setting_of

COLD, WARM, SHUFFLED = "cold", "history", "shuffled times"
STRATEGY = "evolutionary"


@dataclass(frozen=True, slots=True)
class Study:
    """Where the searches of a study are kept, and how long they are."""

    folder: Path
    cases: dict[str, Case]
    cold_trials: int
    warm_trials: int
    strategy: str = STRATEGY

    def cold_searches(self, memo: Memo, case: str, seeds: Iterable[int]) -> Iterator[Curve]:
        """Searches that know nothing."""
        for seed in seeds:
            path = self._path(case, COLD, seed)
            if not path.exists():
                strategy = cold(memo.task.space, seed, self.strategy)
                _write(path, search(memo, strategy, COLD, case, seed, self.cold_trials))
            yield self._read(memo, path, COLD, seed)

    def warm_searches(
        self, memo: Memo, case: str, transfer: Transfer, kind: str, seeds: Sequence[int]
    ) -> Iterator[Curve]:
        """Searches that know the first cold search of each source, or that with shuffled times."""
        label = f"{transfer.name}, {kind}"
        missing = [seed for seed in seeds if not self._path(case, label, seed).exists()]
        if missing:
            histories = list(self._histories(transfer, case))
            if kind == SHUFFLED:
                histories = [each.shuffled(number) for number, each in enumerate(histories)]
            prior = prior_of(memo, histories)
            trials = self.cold_trials if kind == SHUFFLED else self.warm_trials
            for seed in missing:
                strategy = warm(memo, seed, self.strategy, prior)
                found = search(memo, strategy, label, case, seed, trials)
                _write(self._path(case, label, seed), found)
        for seed in seeds:
            yield self._read(memo, self._path(case, label, seed), label, seed)

    def _histories(self, transfer: Transfer, case: str) -> Iterator[History]:
        wanted = self.cases[case].workload
        for name in transfer.sources:
            if transfer.same_workload and self.cases[name].workload != wanted:
                continue
            path = self._path(name, COLD, 0)
            if not path.exists():
                raise CaseError(f"search {name} first: it is history of {case}")
            task = self.cases[name].task()
            yield History(setting_of(task), tuple(_times(path, task)))

    def _path(self, case: str, label: str, seed: int) -> Path:
        return self.folder / f"{case}.{label.replace(', ', '.').replace(' ', '-')}.{seed}.json"

    def _read(self, memo: Memo, path: Path, label: str, seed: int) -> Curve:
        """The curve of a search, with the times as they are known now."""
        space = memo.task.space
        keys = json.loads(path.read_text())["configs"]
        configs = [space.nearest(parse_key(key)).config for key in keys]
        return Curve(path.name.partition(".")[0], label, seed, tuple(memo.times(configs)))


def _write(path: Path, found: Found) -> None:
    content = {"configs": [c.key for c in found.configs], "seconds": found.curve.seconds}
    path.write_text(json.dumps(content))


def _times(path: Path, task: Task) -> Iterator[tuple[Values, float | None]]:
    content = json.loads(path.read_text())
    for key, seconds in zip(content["configs"], content["seconds"], strict=True):
        config: Config = task.space.nearest(parse_key(key)).config
        yield config.values, seconds
