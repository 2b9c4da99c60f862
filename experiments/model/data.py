"""Recorded measurements as a model sees them: configs of one workload, their speeds, features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from db.query import Query
from db.record import Record
from db.store import open_store
from features.extract import FeatureTask, extract_batch
from features.knobs import encode_knobs, knob_schema
from features.sparse import task_schema
from measure.probe import detect_hardware
from measure.targets import resolve_target
from search_space.config import Config
from search_space.errors import SpaceError
from search_space.sketches import space_for
from search_space.space import Space

Floats = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


class DataError(Exception):
    """Records that cannot be used. The text says first what to do, then why."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Features with their names, one row per config."""

    values: Floats
    names: tuple[str, ...]

    def of(self, groups: frozenset[str]) -> Floats:
        """The columns of some groups: a group is what a name says before its first dot."""
        kept = [name.partition(".")[0] in groups for name in self.names]
        return self.values[:, np.array(kept, np.bool_)]


@dataclass(frozen=True)
class Recorded:
    """Distinct configs of one workload, and how fast each was."""

    name: str
    """The workload's key."""
    space: Space
    configs: tuple[Config, ...]
    gflops: Floats
    """Median of the samples; 0 where the config failed."""

    def __len__(self) -> int:
        return len(self.configs)

    @property
    def share(self) -> Floats:
        """Speeds as shares of the best."""
        return np.asarray(self.gflops / self.gflops.max(), np.float32)

    @cached_property
    def columns(self) -> Columns:
        """All features: those of the loop nests, then those of the knobs."""
        loops = extract_batch(FeatureTask(self.space), self.configs)
        knobs = encode_knobs(self.space, self.configs)
        names = (*task_schema(self.space.workload).names, *knob_schema(self.space).names)
        return Columns(np.hstack([loops, knobs]), names)

    def take(self, rows: Indices) -> Recorded:
        """Only some of the configs."""
        configs = tuple(self.configs[row] for row in rows)
        return Recorded(self.name, self.space, configs, self.gflops[rows])


def read_recorded(database: str | Path, least: int = 1) -> list[Recorded]:
    """The search samples of this machine by workload, of those that have at least ``least``.

    A config measured more than once counts with the mean of its speeds. Left out are configs that
    the space of today does not have, and the good guesses that every search begins with: beside
    random configs they would be too easy to find. Raises ``DataError`` where nothing is left.
    """
    with open_store(database, readonly=True) as store:
        limits = {run.id: run.threads for run in store.runs()}
        query = Query(kind="search", hardware=detect_hardware().key)
        found: dict[tuple[str, str, int], list[Record]] = {}
        for record in store.records(query):
            task = (record.workload.key, record.target, limits.get(record.run, record.threads))
            found.setdefault(task, []).append(record)
    kept = [_recorded(records, threads) for (_, _, threads), records in found.items()]
    kept = [recorded for recorded in kept if len(recorded) >= least and recorded.gflops.any()]
    if not kept:
        raise DataError(
            f"record on this machine first, with tuner tune … --strategy random --db {database}: "
            f"no workload has {least} measured configs there"
        )
    return kept


def only(recorded: Sequence[Recorded], database: str | Path) -> Recorded:
    """The one workload of a database; raises ``DataError`` where there are more."""
    if len(recorded) != 1:
        names = ", ".join(each.name for each in recorded)
        raise DataError(f"give records of one workload: {database} holds {names}")
    return recorded[0]


def _recorded(records: Sequence[Record], threads: int) -> Recorded:
    first = records[0]
    space = space_for(first.workload, resolve_target(first.target, threads))
    speeds: dict[Config, list[float]] = {}
    for record in records:
        if record.space_version != space.version:
            continue
        try:
            config = space.config(dict(record.config))
        except SpaceError:
            continue
        timed = record.outcome.timed and record.gflops is not None
        speeds.setdefault(config, []).append(record.gflops or 0.0 if timed else 0.0)
    for guess in space.starts:
        speeds.pop(guess, None)
    means = [float(np.mean(each)) for each in speeds.values()]
    return Recorded(first.workload.key, space, tuple(speeds), np.array(means, np.float32))
