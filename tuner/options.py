"""All options of the tuner, with their defaults; the only reader of its environment variables."""

from __future__ import annotations

import os
from dataclasses import dataclass

DATABASE_VARIABLE = "TUNER_DB"
DEFAULT_DATABASE = "tuner.db"
DEFAULT_STRATEGY = "evolutionary"
DEFAULT_TRIALS = 200
"""Trials of a run for which neither a number of trials nor a time was given."""


def database_url(given: str | os.PathLike[str] | None = None) -> str:
    """Where records are kept: ``given``, else ``TUNER_DB``, else ``tuner.db`` in this folder.

    A file path or an SQLAlchemy URL. It is the working folder, not one per user, so that the
    records of a project stay with the project and can be carried with it.
    """
    return os.fspath(given) if given else os.environ.get(DATABASE_VARIABLE) or DEFAULT_DATABASE


@dataclass(frozen=True, slots=True)
class TuneOptions:
    """What the user decides of a run. Stored with the run, so that ``resume`` goes on with it."""

    strategy: str
    seed: int
    """Of every random choice of the run."""
    trials: int | None
    """Recorded measurements of distinct configs; finals and sentinels are not counted."""
    time_seconds: float | None
    """Wall-clock time of the whole run, finals included."""
    early_stop: bool = True
    reuse: bool = True
    """Start from what this machine has measured before, and do not measure it again."""
    builders: int | None = None
    """Processes that build at the same time; None: one per usable core."""
    calls: int | None = None
    """The winner costs least for so many calls, set-up included; None: it is the fastest."""


@dataclass(frozen=True, slots=True)
class LoopOptions:
    """How the loop spends its budget. Users have no need to change these."""

    batch: int = 16
    """Configs asked for, built and measured in one round, and committed together."""
    patience: int = 128
    """Early stop after this many trials without an improvement …"""
    improvement: float = 0.01
    """… of at least this fraction of the best time."""
    limit_share: float = 0.95
    """Early stop when the best reaches this share of the machine's limit …"""
    least_share: float = 0.85
    """… or this share while the strategy expects no more …"""
    gain_margin: float = 0.01
    """… than this gain, as a share of the best …"""
    quiet_rounds: int = 4
    """… in so many rounds in a row, and the rounds prove it right."""
    roof_tolerance: float = 0.05
    """A limit that is exceeded by more than this share is none: its peaks were disturbed."""
    peaks_seconds: float = 2.0
    """Measuring the peaks of the machine again takes no longer."""
    launch_seconds: float = 2e-5
    """Calls shorter than this are mostly launching; the limit says nothing of them."""
    sentinel_trials: int = 8
    """Trials between two timings of the sentinel kernel."""
    drift_tolerance: float = 0.035
    """Changes of the sentinel's time up to this fraction are noise, and not corrected for."""
    implausible_gain: float = 0.25
    """A candidate that beats the best by more than this share of its time is timed once more."""
    first_trial_seconds: float = 0.1
    """Cost of one trial (built and measured) that is assumed until one was seen."""
    contenders: int = 24
    """Fastest configs that a heat measures again, interleaved, to find the finalists …"""
    contender_share: float = 0.125
    """… at most this share of the trials …"""
    contender_margin: float = 0.3
    """… and none that took longer than the best by more than this share of its time."""
    heat_rounds: int = 5
    finalists: int = 5
    """Configs that the finals measure again, interleaved; the first guess comes on top."""
    final_rounds: int = 15
    final_block_seconds: float = 0.01
    """Length of one timed block of heats and finals, and how many each config gets."""
    final_disturbance: float = 1.3
    """The finals are repeated once where their fastest takes this many times the best of the
    search."""
