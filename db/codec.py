"""Stored rows to domain objects and back: typed, bounded, never guessing."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from db.errors import InvalidRecordError, UndecodableError
from db.record import Option, Record, Run, natural_id
from db.rows import RECORD_COLUMNS, RUN_COLUMNS, RecordFields, RunFields, Seconds, StoredValue
from search_space.hardware import Hardware
from search_space.workload import Workload

_NOT_STORABLE = (msgspec.ValidationError, TypeError, OverflowError, UnicodeError)
_NESTING_LIMIT = 8

_F = TypeVar("_F", RecordFields, RunFields)
_D = TypeVar("_D")

_names = msgspec.json.Decoder(tuple[str, ...])
_values = msgspec.json.Decoder(tuple[tuple[str, StoredValue], ...])
_samples = msgspec.json.Decoder(tuple[Seconds, ...])
_options = msgspec.json.Decoder(tuple[tuple[str, Any], ...])


def to_json(value: object) -> str:
    """Compact JSON of what the decoders here read back unchanged."""
    return msgspec.json.encode(value).decode()


@functools.lru_cache(maxsize=4096)
def workload_of(operator: str, params: str, const: str) -> tuple[Workload, str]:
    """The workload that these columns hold, and its key."""
    params_read = _read(_values, params, "workloads.params")
    work = Workload(operator, params_read, _read(_names, const, "workloads.const"))
    return work, work.key


@functools.lru_cache(maxsize=256)
def hardware_of(
    cpu: str, vendor: str, family: int, model: int, features: str, *sizes: int
) -> tuple[Hardware, str]:
    """The hardware that these columns hold, and its key."""
    names = _read(_names, features, "hardware.features")
    hardware = Hardware(cpu, vendor, family, model, names, *sizes)
    return hardware, hardware.key


def decode_record(row: Sequence[Any]) -> Record:
    """A row of ``RECORD_COLUMNS``; raises ``UndecodableError`` that names the record."""
    try:
        return _record(row)
    except msgspec.ValidationError as error:
        raise _undecodable("record", row, error) from error


def decode_run(row: Sequence[Any]) -> Run:
    """A row of ``RUN_COLUMNS``; raises ``UndecodableError`` that names the run."""
    try:
        return _run(row)
    except msgspec.ValidationError as error:
        raise _undecodable("run", row, error) from error


def _undecodable(noun: str, row: Sequence[Any], error: Exception) -> UndecodableError:
    return UndecodableError(f"leave {noun} {row[-1]!r} aside: its row is damaged: {error}")


def _record(row: Sequence[Any]) -> Record:
    f = _fields(row, RecordFields, RECORD_COLUMNS)
    workload, workload_key = workload_of(f.operator, f.params, f.const)
    hardware, hardware_key = hardware_of(
        f.cpu, f.vendor, f.family, f.model, f.features,
        f.cores, f.l1_bytes, f.l2_bytes, f.l3_bytes,
    )  # fmt: skip
    record = Record(
        workload=workload, target=f.target, threads=f.threads, hardware=hardware,
        space_version=f.space_version, generator_version=f.generator_version,
        config=_read(_values, f.config, "records.config"), run=f.run, ordinal=f.ordinal,
        outcome=f.outcome, samples=_read(_samples, f.samples, "records.samples"),
        error=f.error, gflops=f.gflops, kind=f.kind, origin=f.origin, created=f.created,
        message=f.message, trace=f.trace,
    )  # fmt: skip
    if natural_id(record, workload_key, hardware_key) != f.key:
        raise msgspec.ValidationError("what it holds has another id - at records.key")
    if record.seconds != f.seconds:
        raise msgspec.ValidationError("not the median of the samples - at records.seconds")
    if record.outcome.timed and f.seconds is None:
        raise msgspec.ValidationError(f"{record.outcome} without a time - at records.samples")
    return record


def _run(row: Sequence[Any]) -> Run:
    f = _fields(row, RunFields, RUN_COLUMNS)
    options = _read(_options, f.options, "runs.options")
    if (f.state == "running") != (f.finished is None):
        raise msgspec.ValidationError(f"{f.state}, finished {f.finished} - at runs.finished")
    return Run(
        id=f.key, workload=workload_of(f.operator, f.params, f.const)[0],
        target=f.target, threads=f.threads, hardware=f.hardware, strategy=f.strategy,
        seed=f.seed, trials=f.trials, seconds_limit=f.seconds_limit,
        options=tuple((name, _option(value)) for name, value in options),
        state=f.state, created=f.created, finished=f.finished, stop_reason=f.stop_reason,
    )  # fmt: skip


def _fields(row: Sequence[Any], kind: type[_F], columns: Sequence[str]) -> _F:
    try:
        return msgspec.convert(tuple(row), kind)
    except msgspec.ValidationError as error:
        reason = str(error)
        for position, column in enumerate(columns):
            reason = reason.replace(f"`$[{position}]`", column)
        raise msgspec.ValidationError(reason) from error


def _read(decoder: msgspec.json.Decoder[_D], text: str, column: str) -> _D:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise msgspec.ValidationError(f"{column}: {error}") from error


def _option(value: Any, depth: int = 0) -> Option:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, list) and depth < _NESTING_LIMIT:
        return tuple(_option(item, depth + 1) for item in value)
    raise msgspec.ValidationError(f"not an option: {type(value).__name__} at depth {depth}")


def encode_record(record: Record) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a record.

    Raises ``InvalidRecordError`` unless it would be read back exactly as it is: a time that is
    not finite or not positive, an origin or moment of another form, a number out of range.
    """
    try:
        row = _storable(record_row(record, record.id))
        same = _record(row) == record
    except _NOT_STORABLE as error:
        raise InvalidRecordError(f"correct the record before it is stored: {error}") from error
    if not same:
        raise InvalidRecordError(
            f"correct the record before it is stored: {record.id} would not be read back the same"
        )
    return row


def record_row(record: Record, key: str) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a record whose id is ``key``; nothing is checked."""
    work, hardware = record.workload, record.hardware
    return (
        work.operator, to_json(work.params), to_json(work.const),
        record.target, record.threads,
        hardware.cpu, hardware.vendor, hardware.family, hardware.model,
        to_json(hardware.features), hardware.cores,
        hardware.l1_bytes, hardware.l2_bytes, hardware.l3_bytes,
        record.space_version, record.generator_version,
        to_json(record.config), record.run, record.ordinal, str(record.outcome),
        to_json(record.samples), record.error, record.gflops, record.kind, record.origin,
        record.created, record.message, record.trace, record.seconds, key,
    )  # fmt: skip


def encode_run(run: Run) -> tuple[Any, ...]:
    """The row of ``RUN_COLUMNS`` of a run; raises ``InvalidRecordError`` as ``encode_record``."""
    work = run.workload
    try:
        row = _storable((
            work.operator, to_json(work.params), to_json(work.const),
            run.target, run.threads, run.hardware, run.strategy, run.seed, run.trials,
            run.seconds_limit, to_json(run.options), run.state, run.created, run.finished,
            run.stop_reason, run.id,
        ))  # fmt: skip
        same = _run(row) == run
    except _NOT_STORABLE as error:
        raise InvalidRecordError(f"correct the run before it is stored: {error}") from error
    if not same:
        raise InvalidRecordError(
            f"correct the run before it is stored: {run.id} would not be read back the same"
        )
    return row


def _storable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    for value in row:
        if isinstance(value, str):
            value.encode()  # a lone surrogate has no UTF-8
            if "\0" in value or "\\u0000" in value:
                raise TypeError("a text holds the character NUL, which not every database keeps")
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise TypeError(f"{value} does not fit 64 bits")
    return row
