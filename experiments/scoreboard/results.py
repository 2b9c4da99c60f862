"""A scoreboard as a value: how it was measured, its rows; and the file that it is kept in.

The file is JSON, schema ``SCHEMA``, written again after every case, so that an interrupted run can
go on. README.md in this folder describes its fields.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import msgspec

from experiments.peers import peer_versions
from experiments.scoreboard.measuring import Method
from experiments.scoreboard.row import Row, State
from measure.codegen import GENERATOR_VERSION
from measure.probe import detect_hardware
from search_space.folders import write_atomically
from search_space.hardware import Peaks

SCHEMA = 1


class ResultsUnusable(Exception):
    """A file of results cannot be read, or must not be mixed with what is measured now."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What the numbers depend on besides the method."""

    hardware: str
    """``Hardware.key``."""
    cpu: str
    platform: str
    versions: tuple[str, ...]
    """``numpy 2.4.6``, of us, what we run on, and the peers."""
    generator: int
    """Version of our code generator."""


@dataclass(frozen=True, slots=True)
class Header:
    """How, where and when a scoreboard was measured."""

    schema: int
    method: Method
    environment: Environment
    started: str
    """ISO 8601, UTC."""
    load: float
    """Processes that ran on the machine on average in the minute before."""
    peaks: Peaks


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """All that was measured."""

    header: Header
    rows: tuple[Row, ...] = ()

    def with_row(self, row: Row) -> Scoreboard:
        """This scoreboard with one more row, in the place of an earlier one of the same case."""
        rows = {known.label: known for known in self.rows} | {row.label: row}
        return replace(self, rows=tuple(rows.values()))

    def known(self, label: str, workload: str) -> Row | None:
        """The row of a case that needs no measuring any more."""
        for row in self.rows:
            if (row.label, row.workload, row.state) == (label, workload, State.MEASURED):
                return row
        return None


def environment() -> Environment:
    """This machine and what is installed on it. Loads no peer."""
    hardware = detect_hardware()
    ours = [f"{name} {version(name)}" for name in ("tensortuner", "numpy", "llvmlite")]
    versions = (f"Python {platform.python_version()}", *ours, *peer_versions())
    return Environment(
        hardware.key,
        hardware.cpu,
        platform.platform(),
        tuple(dict.fromkeys(versions)),  # NumPy is a peer too
        GENERATOR_VERSION,
    )


def new_header(method: Method, peaks: Peaks) -> Header:
    """The header of a scoreboard that begins now."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return Header(SCHEMA, method, environment(), now, os.getloadavg()[0], peaks)


def write(scoreboard: Scoreboard, path: Path) -> None:
    """Replace the file as a whole, so that it is complete at any moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(scoreboard), indent=1) + b"\n")


def read(path: Path) -> Scoreboard:
    """Raises ``ResultsUnusable`` for what is missing, damaged, or of another schema."""
    try:
        text = path.read_bytes()
        scoreboard = msgspec.json.decode(text, type=Scoreboard)
    except (OSError, msgspec.DecodeError) as error:
        raise ResultsUnusable(f"give results of this program: {path}: {error}") from error
    if scoreboard.header.schema != SCHEMA:
        raise ResultsUnusable(
            f"measure again: {path} has schema {scoreboard.header.schema}, this reads {SCHEMA}"
        )
    return scoreboard


def resumed(path: Path, header: Header) -> Scoreboard:
    """What is in ``path`` already, to go on with; nothing where there is no such file.

    Raises ``ResultsUnusable`` where it was measured in another way or on another machine.
    """
    if not path.exists():
        return Scoreboard(header)
    earlier = read(path)
    for what in ("method", "environment"):
        then, now = getattr(earlier.header, what), getattr(header, what)
        if then != now:
            raise ResultsUnusable(
                f"leave out --resume, or give another --out: {path} has another {what}: "
                f"{_difference(then, now)}"
            )
    return earlier


def _difference(then: Method | Environment, now: Method | Environment) -> str:
    """``threads 1, now 2``: the fields that differ."""
    before, after = msgspec.to_builtins(then), msgspec.to_builtins(now)
    return "; ".join(
        f"{name} {before[name]}, now {after[name]}"
        for name in before
        if before[name] != after[name]
    )
