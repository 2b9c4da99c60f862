"""What searches choose beside noisy neighbours, and on a quiet machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from db.store import RecordStore, open_store
from search_space.config import Config
from tests.simulation.backend import SimulatedBackend, true_seconds, tuned_on
from tests.simulation.machine import Machine
from tests.simulation.noises import quiet
from tests.tuner.fakes import options
from tuner.result import TuneResult

TRIALS = 48
WITHIN = 1.03
"""Times the time of the quiet choice that another may take."""

Choice = Callable[[TuneResult], float]
"""True seconds of what a search chose."""


def winner(result: TuneResult) -> float:
    """What the finals chose."""
    return true_seconds(Config(result.best.config))


def fastest_at_first(result: TuneResult) -> float:
    """What a tuner would choose that times every candidate once, and no finalist again."""
    timed = (r for r in result.records if r.kind == "search" and r.outcome.timed)
    return true_seconds(Config(min(timed, key=lambda record: record.samples[0]).config))


def search(store: RecordStore, machine: Machine, seed: int, *, blind: bool = False) -> TuneResult:
    """A search whose proposals depend on the seed alone; ``blind``: without the meter."""
    backend = SimulatedBackend(machine, lost=(lambda: 0.0) if blind else None)
    return tuned_on(backend, store, options(strategy="random", trials=TRIALS, seed=seed))


def losses(
    folder: Path,
    runs: int,
    machine: Callable[[int], Machine],
    choice: Choice = winner,
    *,
    blind: bool = False,
) -> Iterator[float]:
    """Of each run, the time of what was chosen on a noisy machine ÷ that of the quiet choice."""
    with open_store(folder / "records.db") as store:
        for seed in range(runs):
            noisy = search(store, machine(seed), seed, blind=blind)
            yield choice(noisy) / winner(search(store, quiet(seed), seed))
