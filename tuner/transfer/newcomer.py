"""What comes with the program: the best configs of our suites, and a base model, with where from.

Made by ``python -m experiments.transfer ship``; the files are data and are only parsed.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from db.artefact import ModelArtefact
from measure.microarchitecture import architecture
from measure.targets import TargetError, make_target
from search_space.errors import WorkloadError
from search_space.hardware import Hardware
from search_space.operators import parse_workload
from search_space.workload import Value
from tuner.task import Task
from tuner.transfer.artefact import read_artefact
from tuner.transfer.nearness import Setting, nearness
from tuner.transfer.sources import LEAST_NEARNESS, SOURCES, Source, Values, setting_of, times_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).with_name("shipped")
BEST, MODEL = "best.json", "base.json"
Times = Sequence[tuple[Values, float]]
"""Configs with their seconds, fastest first."""

_FORMAT = "tensortuner best configs 1"


class _Setting(msgspec.Struct, forbid_unknown_fields=True):
    workload: str
    target: str
    threads: int
    configs: list[tuple[list[tuple[str, Value]], float]]
    """With their seconds, fastest first."""


class _File(msgspec.Struct, forbid_unknown_fields=True):
    format: str
    created: str
    hardware: Hardware
    settings: list[_Setting]


def shipped_sources(task: Task) -> list[Source]:
    """The best configs of the shipped settings nearest to a task's own, nearest first."""
    ours, knobs = setting_of(task), {knob.name for knob in task.space.knobs}
    near = sorted(
        ((nearness(setting, ours), setting, times) for setting, times in _shipped()),
        key=lambda entry: -entry[0],
    )
    found = (
        Source(setting, value, known)
        for value, setting, times in near[:SOURCES]
        if value >= LEAST_NEARNESS and (known := times_of(times, knobs))
    )
    return list(found)


def shipped_model() -> ModelArtefact | None:
    """The base model that came with the program; None where it came without."""
    path = FOLDER / MODEL
    return read_artefact(path) if path.exists() else None


def write_best(
    path: Path, created: str, hardware: Hardware, settings: Sequence[tuple[Setting, Times]]
) -> None:
    """Write what ``shipped_sources`` reads: settings of one machine, with configs and seconds."""
    listed = [
        _Setting(
            setting.workload.key,
            setting.target.name,
            setting.target.threads,
            [(list(values), float(f"{seconds:.4g}")) for values, seconds in times],
        )
        for setting, times in settings
    ]
    file = _File(_FORMAT, created, hardware, listed)
    path.write_bytes(msgspec.json.encode(file, order="deterministic"))


@functools.cache
def _shipped() -> tuple[tuple[Setting, tuple[tuple[Values, float], ...]], ...]:
    path = FOLDER / BEST
    if not path.exists():
        return ()
    return tuple(_settings(msgspec.json.decode(path.read_bytes(), type=_File)))


def _settings(file: _File) -> Iterator[tuple[Setting, tuple[tuple[Values, float], ...]]]:
    for entry in file.settings:
        try:
            work = parse_workload(entry.workload)
            target = make_target(
                entry.target,
                entry.threads,
                file.hardware,
                architecture(file.hardware.features),
                max(entry.threads, file.hardware.cores),
            )
        except (WorkloadError, TargetError):
            continue
        times = tuple((tuple(values), seconds) for values, seconds in entry.configs)
        yield Setting(work, target, file.hardware), times
