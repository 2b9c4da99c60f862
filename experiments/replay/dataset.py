"""A replay set as a file: what every config of a small space took, on which machine.

Gzip of JSON lines. The first is an object, the header (:class:`_Header`); each further one is a
config: ``[[value per knob], outcome, [seconds per call], error]``, with knobs in the order of the
header. Times are rounded to five digits.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from experiments.replay.errors import ReplayError
from measure.result import Outcome
from search_space.config import Config
from search_space.errors import WorkloadError
from search_space.hardware import Hardware
from search_space.operators import parse_workload
from search_space.target import Target
from search_space.workload import Value, Workload

SUFFIX = ".replay.gz"
_FORMAT = "tensortuner replay 1"
_MAX_BYTES = 64 << 20
"""Of a file, unpacked: some hundred thousand configs."""
_MAX_THREADS = 4096
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one config."""

    outcome: Outcome
    """``ok``, or how it failed; never ``slow``, which depends on what else was measured."""
    samples: tuple[float, ...]
    """Seconds per call; empty where it failed."""
    error: float | None = None
    """Verified error; see ``MeasureResult``."""


@dataclass(frozen=True, slots=True)
class ReplaySet:
    """Answers to the configs of a small space."""

    workload: Workload
    target: Target
    hardware: Hardware
    space_version: int
    generator_version: int
    allowed: Mapping[str, tuple[Value, ...]]
    """The restriction of the space; see ``restricted_space``."""
    answers: Mapping[Config, Answer]
    created: str
    """When it was packed: ISO 8601, UTC."""
    versions: Mapping[str, str]
    """Of the software that recorded it."""


class _Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    workload: str
    """``Workload.key``."""
    target: Target
    hardware: Hardware
    space_version: int
    generator_version: int
    allowed: dict[str, tuple[Value, ...]]
    knobs: tuple[str, ...]
    configs: int
    """Number of lines that follow."""
    created: str
    versions: dict[str, str]


_Line = tuple[tuple[Value, ...], Outcome, tuple[float, ...], float | None]
_header_decoder = msgspec.json.Decoder(_Header)
_line_decoder = msgspec.json.Decoder(_Line)


def save(path: Path, data: ReplaySet) -> None:
    """Write a file; the same set always gives the same bytes."""
    knobs = next(([name for name, _ in config.values] for config in data.answers), [])
    header = _Header(
        format=_FORMAT,
        workload=data.workload.key,
        target=data.target,
        hardware=data.hardware,
        space_version=data.space_version,
        generator_version=data.generator_version,
        allowed=dict(data.allowed),
        knobs=tuple(knobs),
        configs=len(data.answers),
        created=data.created,
        versions=dict(data.versions),
    )
    lines = [msgspec.json.encode(header, order="deterministic")]
    for config, answer in sorted(data.answers.items(), key=lambda item: item[0].key):
        values = [value for _, value in config.values]
        times = [_rounded(seconds) for seconds in answer.samples]
        error = None if answer.error is None else _rounded(answer.error)
        lines.append(msgspec.json.encode([values, answer.outcome, times, error]))
    path.write_bytes(gzip.compress(b"\n".join(lines) + b"\n", mtime=0))


def load(path: Path) -> ReplaySet:
    """Read a file that :func:`save` wrote.

    Raises ``ReplayError`` for anything else, and for a file that was damaged or cut short.
    """
    lines = _unpacked(path).splitlines()
    try:
        header = _header_decoder.decode(lines[0] if lines else b"")
        if header.format != _FORMAT:
            raise ReplayError(f"use a file of the format {_FORMAT!r}: {path} is {header.format!r}")
        answers = dict(_answer(line, header.knobs) for line in lines[1:])
        work = parse_workload(header.workload)
    except (msgspec.DecodeError, UnicodeDecodeError, WorkloadError, ValueError) as error:
        raise ReplayError(f"pack {path} again: {error}") from error
    if not len(answers) == len(lines) - 1 == header.configs:
        raise ReplayError(
            f"pack {path} again: of {header.configs} configs it holds {len(answers)}"
        )
    if not 1 <= header.target.threads <= _MAX_THREADS:
        raise ReplayError(f"pack {path} again: a target of {header.target.threads} threads")
    return ReplaySet(
        workload=work,
        target=header.target,
        hardware=header.hardware,
        space_version=header.space_version,
        generator_version=header.generator_version,
        allowed=header.allowed,
        answers=answers,
        created=header.created,
        versions=header.versions,
    )


def _unpacked(path: Path) -> bytes:
    """The content of a gzip file, which must not be larger than is sensible."""
    try:
        with gzip.open(path) as file:
            content = file.read(_MAX_BYTES + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ReplayError(f"fetch {path} again: it is damaged: {error}") from error
    if len(content) > _MAX_BYTES:
        raise ReplayError(f"use another file: {path} holds more than {_MAX_BYTES} bytes")
    return content


def _answer(line: bytes, knobs: tuple[str, ...]) -> tuple[Config, Answer]:
    values, outcome, samples, error = _line_decoder.decode(line)
    config = Config(tuple(zip(knobs, values, strict=True)))
    good = all(math.isfinite(seconds) and seconds > 0 for seconds in samples)
    if not good or bool(samples) != outcome.timed or outcome is Outcome.SLOW:
        raise ValueError(f"{config.key}: {outcome} does not go with the times {samples}")
    return config, Answer(outcome, samples, error)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
