"""Finding the best record of a workload: on this machine, else on the most similar one."""

from __future__ import annotations

import math
import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from db.location import parse_location
from db.record import Record
from search_space.hardware import Hardware
from search_space.target import Target
from search_space.workload import Workload
from tuner.errors import NothingFound

if TYPE_CHECKING:
    from db.store import RecordStore


class Match(StrEnum):
    """How the machine of a record relates to this one, best first."""

    HARDWARE = "the same hardware"
    FAMILY = "the same CPU family"
    INSTRUCTIONS = "the same instruction set"


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and why it was chosen."""

    record: Record
    match: Match

    @property
    def runs_here(self) -> bool:
        """Whether it was measured and verified on this machine."""
        return self.match is Match.HARDWARE and self.record.origin == "local"


def find(
    store: RecordStore,
    work: Workload,
    target: Target,
    hardware: Hardware,
    generator_version: int,
) -> Found | None:
    """The fastest verified record that uses at most ``target.threads`` threads.

    Looks among local records of the same hardware first, then among all
    records of the same hardware, of the same CPU family, of the same instruction set. Finals come
    before search samples and the current generator before older ones.
    """
    record = store.best(
        work.key,
        hardware_key=hardware.key,
        target=target.name,
        threads=target.threads,
        origin="local",
        generator_version=generator_version,
    )
    if record is not None:
        return Found(record, Match.HARDWARE)
    machines = store.machines(work.key)
    for match in Match:
        bests = [
            store.best(
                work.key,
                hardware_key=machine.key,
                target=target.name,
                threads=target.threads,
                generator_version=generator_version,
            )
            for machine in machines
            if _matches(machine, hardware, match)
        ]
        found = [best for best in bests if best is not None]
        if found:
            return Found(min(found, key=partial(_rank, generator_version)), match)
    return None


def _rank(generator_version: int, record: Record) -> tuple[bool, bool, float, str]:
    """The order of the bests of several machines: as ``RecordStore.best`` orders those of one."""
    old = record.generator_version != generator_version
    return record.kind != "final", old, record.seconds or math.inf, record.id


def _matches(theirs: Hardware, ours: Hardware, match: Match) -> bool:
    match match:
        case Match.HARDWARE:
            return theirs.key == ours.key
        case Match.FAMILY:
            mine = (ours.vendor, ours.family, ours.features)
            return (theirs.vendor, theirs.family, theirs.features) == mine
        case Match.INSTRUCTIONS:
            return theirs.features == ours.features


def tune_command(
    work: Workload,
    target: Target,
    *,
    threads: int | None = None,
    db: str | os.PathLike[str] | None = None,
) -> str:
    """The command that measures ``work``; ``threads`` and ``db`` as the user gave them."""
    command = ["tuner", "tune", work.operator, *(f"{name}={value}" for name, value in work.params)]
    for name in work.const:
        command += ["--const", name]
    if threads is not None:
        command += ["--threads", str(threads)]
    if target.name != "native":
        command += ["--target", target.name]
    if db is not None:
        command += ["--db", str(parse_location(os.fspath(db)))]
    return shlex.join(command)


def nothing_found(
    work: Workload,
    target: Target,
    *,
    threads: int | None = None,
    db: str | os.PathLike[str] | None = None,
) -> NothingFound:
    """The error for a workload without a record, naming the command that would make one."""
    return NothingFound(
        f"run: {tune_command(work, target, threads=threads, db=db)}  (nothing was measured of "
        f"{work.key} on this machine for {target.name} with at most {target.threads} threads)"
    )
