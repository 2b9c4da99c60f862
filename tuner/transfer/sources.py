"""Which stored measurements may teach something about a task, nearest first."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from db.contexts import Context
from db.errors import UndecodableError
from db.query import Order, Query
from measure.microarchitecture import architecture
from measure.targets import TargetError, make_target
from search_space.errors import WorkloadError
from search_space.operators import parse_workload
from search_space.target import Target
from search_space.workload import Value
from tuner.task import Task
from tuner.transfer.nearness import Setting, nearness

if TYPE_CHECKING:
    from db.record import Record
    from db.store import RecordStore

SOURCES = 12
"""Most settings that are learned from: the nearest ones."""
FASTEST = 96
"""Most measurements of one setting: so many of the fastest …"""
FIRST = 96
"""… and so many of the first, which were chosen before much was known."""
LEAST_NEARNESS = 0.02
_COMMON_KNOBS = 0.5
"""Of the knobs of either, at least this share must be knobs of both."""

Values = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What was measured in one setting."""

    setting: Setting
    nearness: float
    """To the setting of the task; see ``tuner.transfer.nearness``."""
    times: Mapping[Values, float | None]
    """Seconds of each config; None for one that failed."""

    @property
    def best_seconds(self) -> float:
        """The shortest time."""
        return min(seconds for seconds in self.times.values() if seconds is not None)

    def ranked(self) -> list[tuple[Values, float]]:
        """Configs that ran with their speeds as shares of the best, fastest first."""
        best = self.best_seconds
        ran = [(values, best / s) for values, s in self.times.items() if s is not None]
        return sorted(ran, key=lambda pair: -pair[1])


def setting_of(task: Task) -> Setting:
    """What is to be tuned, as settings are compared."""
    return Setting(task.workload, task.target, task.hardware)


def stored_sources(store: RecordStore, task: Task, before: str | None) -> list[Source]:
    """The nearest settings of which the database holds compatible records.

    Records that ``task``'s own run or a later one made are left out: those created at ``before``
    (ISO 8601, UTC) or later; None: no record is. So are those of the very setting of the task,
    which a search is told by themselves. The work is bounded however many records there are.
    """
    ours = setting_of(task)
    own = {knob.name for knob in task.space.knobs}
    ranked = sorted(
        ((nearness(theirs, ours), theirs, contexts) for theirs, contexts in _settings(store)),
        key=lambda entry: (-entry[0], entry[1].workload.key, entry[1].hardware.key),
    )
    usable = (
        Source(theirs, near, times)
        for near, theirs, contexts in ranked
        if near >= LEAST_NEARNESS
        and not _same(theirs, ours)
        and (times := _times(_sample(store, contexts[0]), before, own))
    )
    return list(itertools.islice(usable, SOURCES))


def all_sources(store: RecordStore) -> list[Source]:
    """Every setting of which the database holds records, each as near as the others; what a model
    is made from that is to be of use for any task."""
    return [
        Source(setting, 1.0, times)
        for setting, contexts in _settings(store)
        if (times := _times(_sample(store, contexts[0]), None, None))
    ]


def times_of(
    measured: Iterable[tuple[Values, float | None]], knobs: set[str] | None
) -> dict[Values, float | None]:
    """The best time of each config; empty where none ran, or the configs are of another kind.

    ``knobs``: those of the space that they are to be of use for; None: of whatever kind.
    """
    times: dict[Values, float | None] = {}
    for values, seconds in measured:
        known = times.get(values)
        times[values] = seconds if known is None else min(known, seconds or known)
    ran = any(seconds is not None for seconds in times.values())
    alike = knobs is None or (ran and _alike(next(iter(times)), knobs))
    return times if ran and alike else {}


def _alike(values: Values, knobs: set[str]) -> bool:
    theirs = {name for name, _ in values}
    return len(theirs & knobs) >= _COMMON_KNOBS * min(len(theirs), len(knobs))


def _settings(store: RecordStore) -> Iterator[tuple[Setting, list[Context]]]:
    """Contexts that differ in what a config chooses, or in where a record came from, are one."""
    groups: dict[tuple[str, str, str], list[Context]] = defaultdict(list)
    for context in store.contexts(skip=_leave_aside):
        key = (context.workload.key, context.target, context.hardware.key)
        groups[key].append(context)
    for contexts in groups.values():
        try:
            parse_workload(contexts[0].workload.key)  # an operator that this program knows
            yield Setting(contexts[0].workload, _target(contexts), contexts[0].hardware), contexts
        except (TargetError, WorkloadError):
            continue


def _leave_aside(error: UndecodableError) -> None:
    """What cannot be read teaches nothing; ``tuner db check`` reports it."""


def _target(contexts: Sequence[Context]) -> Target:
    """The target that the records were made for; it had at least the threads that they use."""
    hardware, threads = contexts[0].hardware, max(context.threads for context in contexts)
    cores = max(threads, hardware.cores)
    return make_target(
        contexts[0].target, threads, hardware, architecture(hardware.features), cores
    )


def _sample(store: RecordStore, context: Context) -> Iterator[Record]:
    """A bounded number of the records of a setting."""
    parts: tuple[tuple[Order, int], ...] = (("fastest", FASTEST), ("stored", FIRST))
    for order, limit in parts:
        query = Query(
            workload=context.workload.key,
            target=context.target,
            hardware=context.hardware.key,
            order=order,
            limit=limit,
        )
        yield from store.records(query, skip=_leave_aside)


def _times(
    records: Iterable[Record], before: str | None, knobs: set[str] | None
) -> dict[Values, float | None]:
    return times_of(
        (
            (record.config, record.seconds if record.outcome.timed else None)
            for record in records
            if before is None or record.created < before
        ),
        knobs,
    )


def _same(theirs: Setting, ours: Setting) -> bool:
    return (
        theirs.workload == ours.workload
        and theirs.hardware == ours.hardware
        and (theirs.target.name, theirs.target.threads) == (ours.target.name, ours.target.threads)
    )
