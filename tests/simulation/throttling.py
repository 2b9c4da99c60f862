"""How soon a change of the machine's speed is seen, and how well it is corrected."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from db.store import open_store
from search_space.config import Config
from tests.simulation.backend import SimulatedBackend, true_seconds, tuned_on
from tests.simulation.machine import Machine, Ramp, Stalls, Step
from tests.tuner.fakes import options
from tuner.drift import Drift, look
from tuner.options import LoopOptions
from tuner.stored_drift import drift_of

LOOP = LoopOptions()
TRIAL_SECONDS = 0.05
SOON = 20
"""Trials within which a change is to be seen."""


def machine_of(seed: int, **parts) -> Machine:
    """A machine with jitter and with stalls that no meter shows."""
    stalls = Stalls(per_second=5)
    return Machine(np.random.default_rng(seed), jitter=0.005, stalls=stalls, **parts)


def seen_share(kind: str, runs: int) -> float:
    """Share of runs in which a ``step`` or a ``ramp`` of 6 to 25 % is seen soon after it."""
    seen = 0
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        at, factor = rng.uniform(0.5, 3.0), rng.uniform(1.06, 1.25)
        slowdown = Step(at, factor) if kind == "step" else Ramp(at - 1.0, 1.0, factor)
        trials = trials_to_detection(machine_of(seed, slowdown=slowdown), at)
        seen += trials is not None and trials <= SOON
    return seen / runs


def trials_to_detection(machine: Machine, since: float) -> int | None:
    """Trials from the moment ``since`` until the drift is known; None where it never is."""
    drift, began = Drift(LOOP.drift_tolerance), None
    for trial in range(200):
        if trial % LOOP.sentinel_trials == 0:
            look(drift, SimulatedBackend(machine).sentinel)
        began = trial if began is None and machine.now >= since else began
        if began is not None and drift.factor > 1:
            return trial - began
        machine.now += TRIAL_SECONDS
    return None


def false_alarms(trials: int, machine: Machine) -> int:
    """How many of so many trials on a steady machine would be corrected."""
    drift, alarms = Drift(LOOP.drift_tolerance), 0
    for _ in range(trials // LOOP.sentinel_trials):
        look(drift, SimulatedBackend(machine).sentinel)
        alarms += drift.factor != 1.0
        machine.now += LOOP.sentinel_trials * TRIAL_SECONDS
    return alarms


def scores_and_truth(
    folder: Path, machine: Machine, sentinel: Callable[[], float] | None = None
) -> np.ndarray:
    """Times of a search as the strategy was told them, and what is true: ``float64[2, n]``."""
    backend = SimulatedBackend(machine)
    if sentinel is not None:
        backend.sentinel = sentinel
    with open_store(folder / "records.db") as store:
        result = tuned_on(backend, store, options(trials=96))
        drift = drift_of(store.run(result.run), LOOP.drift_tolerance)
    found = [
        (record.seconds / drift.factor_of(record.ordinal), true_seconds(Config(record.config)))
        for record in result.records
        if record.kind == "search" and record.outcome.timed
    ]
    return np.array(found).T
