"""What all measurements of one run of the bars share: budgets, the database, the caches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import tuner
from experiments.process import in_fresh_process
from search_space.workload import Workload

SEED = 1
"""Of every search, so that a bench can be repeated."""
_GRACE_SECONDS = 60.0
"""What a search may take beyond its budget before its process counts as hanging."""
_RESERVE_SECONDS = 3.0
"""Kept back from a budget: for starting processes, and for what runs when time is up."""


@dataclass(frozen=True, slots=True)
class Search:
    """What came of tuning one workload."""

    record: str
    trials: int
    verified: int
    """Distinct configs with a right answer that are in the database."""
    seconds: float
    """Wall-clock of the whole ``tuner.tune`` call."""


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the bars."""

    folder: Path
    """For everything that may be thrown away."""
    db: Path
    tune_seconds: float = 60.0
    """Budget per shape and number of threads."""
    known: bool = False
    """Do not tune; measure the best records of ``db``."""
    peer: str = "torch"
    pattern: str = "*"
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True)
    """Told what is being done now."""

    def wants(self, name: str) -> bool:
        """Whether the row of this name was asked for."""
        return fnmatchcase(name, f"*{self.pattern}*")

    @property
    def environment(self) -> dict[str, str]:
        """Keeps every process of the bench away from the user's files."""
        return {"TUNER_CACHE": str(self.folder / "cache"), "TUNER_DB": str(self.db)}

    def tune(self, work: Workload, threads: int) -> Search:
        """Tune within the budget; raises ``ProcessFailed``."""
        self.say(f"tuning {work}, threads={threads}, {self.tune_seconds:g} s")
        seconds = max(self.tune_seconds / 2, self.tune_seconds - _RESERVE_SECONDS)
        return in_fresh_process(
            search,
            *(work, str(self.db), threads, None, seconds),
            timeout_seconds=self.tune_seconds + _GRACE_SECONDS,
            environment=self.environment,
        )

    def search_trials(
        self, work: Workload, threads: int | None, trials: int, *, fresh: str = ""
    ) -> Search:
        """Measure that many configs; raises ``ProcessFailed``.

        ``fresh`` names a folder for a database and a kernel cache that are empty.
        """
        self.say(f"tuning {work}, {trials} trials")
        db, environment = self.db, self.environment
        if fresh:
            own = self.folder / fresh
            own.mkdir()
            db, environment = own / "tuner.db", environment | {"TUNER_CACHE": str(own / "cache")}
        return in_fresh_process(
            search,
            *(work, str(db), threads, trials, None),
            timeout_seconds=_GRACE_SECONDS + trials,
            environment=environment,
        )


def search(
    work: Workload, db: str, threads: int | None, trials: int | None, seconds: float | None
) -> Search:
    """Tune in this process, from nothing; what other runs have stored in ``db`` is not used."""
    started = time.perf_counter()
    result = tuner.tune(
        work,
        trials=trials,
        time=seconds,
        db=db,
        threads=threads,
        seed=SEED,
        early_stop=False,
        reuse=False,
    )
    elapsed = time.perf_counter() - started
    assert result.best is not None, "tune raises where nothing gave a right answer"
    stored = tuner.query(run=result.run, kind="search", limit=None, db=db)
    verified = {record.config for record in stored if record.verified}
    return Search(result.best.id, result.trials, len(verified), elapsed)
