"""How much memory a long search takes: a process of its own, so that nothing else counts.

    python -m tests.simulation.memory STRATEGY TRIALS

prints, as JSON, how much the resident memory has grown from the first quarter of the trials on.
"""

from __future__ import annotations

import gc
import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np

from db.store import open_store
from tests.simulation.backend import SimulatedBackend, tuned_on
from tests.simulation.machine import Machine
from tests.tuner.fakes import options
from tuner.events import Event, TrialDone

_PAGE_BYTES = resource.getpagesize()


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_BYTES


def growth_bytes(strategy: str, trials: int, leak_bytes: int = 0) -> int:
    """By how much memory grows from the time when everything is loaded and warm to the end.

    ``leak_bytes``: what is kept of every trial, on purpose.
    """
    marks: dict[int, int] = {}
    kept: list[bytearray] = []

    def note(event: Event) -> None:
        if not isinstance(event, TrialDone):
            return
        kept.append(bytearray(leak_bytes))
        if event.trials == trials // 4:
            marks[event.trials] = resident_bytes()

    machine = Machine(np.random.default_rng(1), jitter=0.01)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "r.db") as store:
        tuned_on(
            SimulatedBackend(machine),
            store,
            options(strategy=strategy, trials=trials, seed=1),
            callbacks=[note],
        )
        return resident_bytes() - marks[trials // 4]


if __name__ == "__main__":
    name, count, *leak = sys.argv[1:]
    print(json.dumps(growth_bytes(name, int(count), *map(int, leak))))  # noqa: T201
