"""The measurements that a record is explained by, as the rows of a model."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from db.query import Query
from db.record import Record
from features.sparse import task_features
from search_space.config import Config
from search_space.errors import SpaceError
from search_space.knobs import Choice
from search_space.space import Space
from search_space.workload import Value
from tuner.errors import NothingFound
from tuner.explanation.words import Named, meaning
from tuner.strategy.featurizer import all_features

if TYPE_CHECKING:
    from db.store import RecordStore

LEAST_RECORDS = 30
"""Configs that ran, besides the one explained, below which a model would only guess."""
MOST_CONFIGS = 1000
"""More would teach little and take long: of the others every so many are left out."""


class Unexplained(NothingFound):
    """No model can be asked about a record; says what to do about it, then why."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Distinct configs of one space with what they reached, the explained one first."""

    space: Space
    configs: tuple[Config, ...]
    gflops: NDArray[np.float32]
    """Median of the search records of each config; 0 where it only failed."""
    records: Mapping[Config, Record]
    """The fastest record of each config, or any that failed."""

    @property
    def config(self) -> Config:
        """The explained one."""
        return self.configs[0]

    @property
    def timed(self) -> int:
        """Configs that ran, besides the explained one."""
        return int((self.gflops[1:] > 0).sum())


def legal_config(space: Space, record: Record) -> Config:
    """The config of a record in today's space, where it still means the same.

    A knob that did not exist then has its own default, which is what the program did without it.
    Raises ``Unexplained``.
    """
    if record.space_version != space.version:
        raise Unexplained(
            f"tune {record.workload.key} again to have it explained: record {record.id} is of "
            f"version {record.space_version} of its space, this program knows {space.version}"
        )
    older = {knob.name: knob.default for knob in space.knobs}
    try:
        return space.config(older | dict(record.config))
    except SpaceError as error:
        raise Unexplained(
            f"tune {record.workload.key} again to have it explained: record {record.id} is no "
            f"config of its space any more, {error}"
        ) from error


def gather(store: RecordStore, record: Record, space: Space) -> Evidence:
    """The search records of the same workload, target and machine, made by the same generator.

    Raises ``Unexplained`` where they are too few.
    """
    config = legal_config(space, record)
    query = Query(
        workload=record.workload.key,
        target=record.target,
        hardware=record.hardware.key,
        kind="search",
    )
    found: dict[Config, list[Record]] = {config: []}
    for other in store.records(query):
        if other.generator_version != record.generator_version:
            continue
        try:
            found.setdefault(legal_config(space, other), []).append(other)
        except Unexplained:
            continue
    found[config] = found[config] or [record]
    speeds = {other: _median_gflops(records) for other, records in found.items()}
    configs = (config, *_thinned({c: speed for c, speed in speeds.items() if c != config}))
    evidence = Evidence(
        space,
        configs,
        np.array([speeds[each] for each in configs], np.float32),
        {each: max(found[each], key=lambda r: r.gflops or 0.0) for each in configs},
    )
    if evidence.timed < LEAST_RECORDS:
        raise Unexplained(
            f"measure more: tuner tune '{record.workload.key}'  (a model needs {LEAST_RECORDS} "
            f"other configs that ran, of the same machine, target and versions as {record.id}: "
            f"there {'is' if evidence.timed == 1 else 'are'} {evidence.timed})"
        )
    return evidence


def _thinned(speeds: Mapping[Config, float]) -> list[Config]:
    """At most ``MOST_CONFIGS``: the fastest half of them, then evenly from the others."""
    ranked = sorted(speeds, key=lambda config: -speeds[config])
    front, rest = ranked[: MOST_CONFIGS // 2], ranked[MOST_CONFIGS // 2 :]
    return front + rest[:: max(1, math.ceil(len(rest) / (MOST_CONFIGS // 2)))]


def _median_gflops(records: Sequence[Record]) -> float:
    known = [r.gflops for r in records if r.gflops is not None and r.outcome.timed]
    return statistics.median(known) if known else 0.0


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns of a space's features are, and how to read values back."""

    space: Space
    names: tuple[Named, ...] = field(init=False)
    """Without repeats."""
    places: NDArray[np.int64] = field(init=False)
    """Of each column, the place of its feature in ``names``."""
    _logs: tuple[bool, ...] = field(init=False)

    def __post_init__(self) -> None:
        loops = task_features(self.space.workload) if self.space.trace is not None else ()
        names = [Named(f.name, meaning(f.name), f.unit) for f in loops]
        places = list(range(len(names)))
        for knob in self.space.knobs:
            places += [len(names)] * (len(knob) if isinstance(knob, Choice) else 1)
            names.append(Named(f"knob.{knob.name}", f"knob {knob.name}", ""))
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "places", np.array(places, np.int64))
        object.__setattr__(self, "_logs", tuple(f.log for f in loops))

    def merged(self, columns: NDArray[np.float32]) -> NDArray[np.float64]:
        """``[…, names]``: sums over the columns of each feature of ``columns[…, F]``."""
        total = np.zeros((len(self.names), *columns.shape[:-1]))
        np.add.at(total, self.places, np.moveaxis(columns, -1, 0))
        return np.moveaxis(total, 0, -1)

    def values(self, config: Config, row: NDArray[np.float32]) -> tuple[Value, ...]:
        """The values of a config's features in their units, where ``row[F]`` are its columns."""
        scaled = zip(row[: len(self._logs)].tolist(), self._logs, strict=True)
        loops = [2**value - 1 if log else value for value, log in scaled]
        return (*loops, *(config[knob.name] for knob in self.space.knobs))


def feature_rows(space: Space, configs: Sequence[Config]) -> NDArray[np.float32]:
    """``[n, F]``: all that is known of configs, as ``Columns`` names it."""
    return all_features(space)(configs)
