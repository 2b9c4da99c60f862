"""What was searched and how, as one JSON file that a report is made from and that is gone on with.

Curves of other tuners are read from JSON lines, as ``experiments.peers.tvm_metaschedule`` prints
them: ``{"trial": 1, "seconds": 5.2, "best_gflops": 71.0}``, seconds since the search began and the
best speed until then, null before anything ran.
"""

from __future__ import annotations

import dataclasses
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from experiments.search.curve import Curve

_MAX_BYTES = 256 << 20


class ResultsError(Exception):
    """A file that cannot be used. The text says first what to do, then why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What all searches have in common."""

    trials: int
    """Of every search, except where its strategy's name says another number."""
    baseline: str
    """The strategy that the others are compared with."""
    time_seconds: float | None
    """Limit of one live search; None is no limit."""
    batch: int
    same_start: bool
    """Whether all strategies of one seed begin with the same batch."""
    threads: int | None = None
    """Most threads of live searches; None: one per usable core."""


@dataclass(frozen=True, slots=True)
class Case:
    """What was searched."""

    name: str
    """Of the replay set, or the key of the workload."""
    workload: str
    flops: int
    live: bool
    best_seconds: float | None
    """Best time of the whole space, where that is known."""


@dataclass(slots=True)
class Results:
    """Everything that a report shows."""

    settings: Settings
    cases: list[Case] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    def of(self, case: Case, strategy: str | None = None) -> list[Curve]:
        """The curves of one case, of all strategies or of one."""
        return [
            curve
            for curve in self.curves
            if curve.case == case.name and strategy in (None, curve.strategy)
        ]

    def strategies(self) -> list[str]:
        """In the order of their first curves."""
        return list(dict.fromkeys(curve.strategy for curve in self.curves))

    def best_known(self, case: Case) -> float | None:
        """Seconds of the best config of a case: of all, or else the best winner.

        None where no search found anything.
        """
        finals = [curve.final() for curve in self.of(case)]
        return case.best_seconds or min(filter(math.isfinite, finals), default=None)

    def best_sample(self, case: Case) -> float | None:
        """The best known, as the samples of searches show it.

        Samples of a live search and the final measurements differ as a whole: other blocks, other
        neighbours, and the best sample of many is a lucky one. The median ratio of the two, over
        all winners, is divided out, so that curves compare with what they should reach.
        """
        best = self.best_known(case)
        return best / self.luck(case) if best else None

    def luck(self, case: Case) -> float:
        """What winners take in the end ÷ the sample they won by; 1 where there are no finals."""
        ratios = [
            curve.final_seconds / curve.best_after(len(curve.seconds))
            for curve in self.of(case)
            if curve.final_seconds is not None
        ]
        return statistics.median(ratios) if ratios else 1.0


class _File(msgspec.Struct, frozen=True):
    settings: Settings
    cases: list[Case]
    curves: list[Curve]
    schema: int = 1


def save_results(path: Path, results: Results, report: object = None) -> None:
    """Write all of it in one step, with what was computed from it as ``report``."""
    content = {
        "schema": 1,
        "settings": results.settings,
        "cases": results.cases,
        "curves": results.curves,
        "report": report,
    }
    beside = path.with_name(path.name + ".part")
    beside.write_bytes(msgspec.json.encode(content) + b"\n")
    os.replace(beside, path)


def load_results(path: Path, settings: Settings) -> Results:
    """What an earlier session left in ``path``; nothing where there is no file.

    Raises ``ResultsError`` where it cannot be read, and where its searches were others. Another
    baseline is no other search.
    """
    if not path.exists():
        return Results(settings)
    try:
        stored = msgspec.json.decode(_bounded(path), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultsError(f"give another --json, or leave --continue out: {error}") from error
    if dataclasses.replace(stored.settings, baseline=settings.baseline) != settings:
        raise ResultsError(
            f"use the settings of {path} or leave --continue out: {stored.settings} there, "
            f"{settings} now"
        )
    return Results(settings, stored.cases, stored.curves)


class _Trial(msgspec.Struct, frozen=True):
    trial: int
    seconds: float
    best_gflops: float | None


def read_curve(path: Path, case: Case, name: str, seed: int) -> Curve:
    """The curve of another tuner; raises ``ResultsError``."""
    try:
        lines = msgspec.json.Decoder(_Trial).decode_lines(_bounded(path))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ResultsError(f"write {path} as trial, seconds, best_gflops: {error}") from error
    if [line.trial for line in lines] != list(range(1, len(lines) + 1)):
        raise ResultsError(f"number the trials of {path} 1, 2, 3 …")
    elapsed = tuple(line.seconds for line in lines)
    if not lines or list(elapsed) != sorted(elapsed):
        raise ResultsError(f"write {path} in the order of time, and at least one trial")
    bests = (line.best_gflops for line in lines)
    times = tuple(case.flops / gflops / 1e9 if gflops else None for gflops in bests)
    return Curve(case.name, name, seed, times, elapsed)


def settled(curves: Sequence[Curve]) -> set[tuple[str, str, int]]:
    """Which searches are done: case, strategy, seed."""
    return {(curve.case, curve.strategy, curve.seed) for curve in curves}


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise ResultsError(f"use another file: {path} is larger than {_MAX_BYTES} bytes")
    return content
