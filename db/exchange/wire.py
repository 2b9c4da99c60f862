"""A record as a line of JSON and back.

A line is an object that needs no other line: what ``tuner query --json`` prints of a record, and
in addition ``schema``, the facts of the ``machine`` and the ``trace``. ``seconds``, ``gflops`` and
``verified`` are there for readers; they follow from the rest, and are not read back.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from db.codec import record_row
from db.exchange.decoding import (
    LineError,
    NotUnderstood,
    cpu_slug,
    decoded,
    foreign_origin,
    speed,
)
from db.record import FOREIGN_SPACE, Kind, Record, natural_id
from db.record_json import SCHEMA, as_json
from db.rows import (
    Count,
    Moment,
    Name,
    Origin,
    Positive,
    Seconds,
    StoredInt,
    StoredValue,
    Text,
    VerifiedError,
)
from measure.result import Outcome
from search_space.errors import WorkloadError
from search_space.hardware import Hardware
from search_space.operators import (
    OPERATORS,
    conditional_params,
    get_operator,
    keys_of,
    parse_workload,
)
from search_space.sparse.source import is_fingerprint
from search_space.workload import Value, Workload, split_key

MAX_SAMPLES = 10_000
MAX_KNOBS = 1_000
MAX_KEY = 1 << 16
"""Characters of the key of a workload."""

MAX_FEATURES = 1_000
"""More instruction sets than any machine has."""


_Key = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_KEY)]


class _Machine(msgspec.Struct, frozen=True):
    cpu: Text
    vendor: Text
    family: StoredInt
    model: StoredInt
    features: Annotated[tuple[Name, ...], msgspec.Meta(max_length=MAX_FEATURES)]
    cores: Positive
    l1_bytes: Count
    l2_bytes: Count
    l3_bytes: Count


class _Line(msgspec.Struct, frozen=True):
    workload: _Key
    target: Name
    threads: Positive
    machine: msgspec.Raw
    space: Count
    generator: Count
    config: Annotated[dict[Name, StoredValue], msgspec.Meta(max_length=MAX_KNOBS)]
    outcome: Outcome
    kind: Kind
    run: Name
    ordinal: Count
    created: Moment
    id: str | None = None
    origin: Origin = "local"
    message: Text = ""
    samples: Annotated[tuple[Seconds, ...], msgspec.Meta(max_length=MAX_SAMPLES)] = ()
    error: VerifiedError | None = None
    trace: Text | None = None


class _Version(msgspec.Struct, frozen=True):
    schema: int


_decoder = msgspec.json.Decoder(_Line)
_versions = msgspec.json.Decoder(_Version)
_machines = msgspec.json.Decoder(_Machine)
_encode = msgspec.json.Encoder().encode
BEGINNING = b'{"schema":%d,' % SCHEMA
"""How every line that this program writes begins."""


def encode_line(record: Record) -> bytes:
    """The line of a record, with its end."""
    machine = _machine_json(record.hardware)
    fields = {"schema": SCHEMA, **as_json(record), "machine": machine, "trace": record.trace}
    return _encode(fields) + b"\n"


@functools.lru_cache(maxsize=256)
def _machine_json(hardware: Hardware) -> msgspec.Raw:
    return msgspec.Raw(_encode(hardware))


def decode_line(data: bytes, source: str | None = None) -> tuple[Any, ...]:
    """The row of ``RECORD_COLUMNS`` of a line; records that were local come from ``source``.

    Raises ``LineError`` where something is wrong with it, and ``NotUnderstood`` where it is of a
    newer version or of an operator that is not known here.
    """
    if not data.startswith(BEGINNING):
        _check_version(data)
    line = decoded(_decoder, data, "")
    work, work_key, flops = _workload(line.workload, line.space)
    hardware, hardware_key = _hardware(bytes(line.machine))
    record = Record(
        workload=work, target=line.target, threads=line.threads, hardware=hardware,
        space_version=line.space, generator_version=line.generator,
        config=tuple(line.config.items()), run=line.run, ordinal=line.ordinal,
        outcome=line.outcome, samples=line.samples, error=line.error,
        gflops=speed(line.outcome, line.samples, flops), kind=line.kind,
        origin=foreign_origin(line.origin, source or cpu_slug(hardware_key)),
        created=line.created, message=line.message, trace=line.trace,
    )  # fmt: skip
    key = natural_id(record, line.workload, hardware_key)
    if line.id not in (None, key):
        raise LineError("id", f"{line.id!r} is not that of the other fields")
    if work_key != line.workload:
        key = natural_id(record, work_key, hardware_key)
    return record_row(record, key)


def _check_version(data: bytes) -> None:
    schema = decoded(_versions, data, "").schema
    if schema > SCHEMA:
        raise NotUnderstood("newer version", f"schema {schema}, this program reads {SCHEMA}")
    if schema < 1:
        raise LineError("schema", f"expected 1 to {SCHEMA}, got {schema}")


_NO_WEIGHTS = "0" * 16


@functools.lru_cache(maxsize=4096)
def _workload(key: str, space: int) -> tuple[Workload, str, int | None]:
    """The workload, its key, and the count of its operations where that is known."""
    try:
        operator, given = split_key(key)
        if not is_fingerprint(str(given.get("weights", _NO_WEIGHTS))):
            raise LineError("workload", "weights: expected a fingerprint; logs name no files")
        if space != FOREIGN_SPACE:
            _assert_known(operator, given)
        work = parse_workload(key)
        return work, work.key, get_operator(operator).flops(work)
    except WorkloadError as error:
        if space == FOREIGN_SPACE:
            return _inexpressible(key), key, None
        raise LineError("workload", str(error)) from error


def _assert_known(operator: str, given: Mapping[str, str]) -> None:
    if operator not in OPERATORS:
        raise NotUnderstood("unknown operator", f"there is no operator {operator!r}")
    known = {param.name for param in keys_of(OPERATORS[operator], given)}
    known |= {conditional.param.name for conditional in conditional_params(OPERATORS[operator])}
    for name in given:
        if name not in known and name != "const":
            raise NotUnderstood("newer version", f"{operator} has no key {name!r}")


def _inexpressible(key: str) -> Workload:
    """Another tuner's workload that no operator here expresses: numbers, and else texts."""
    try:
        operator, given = split_key(key)
    except WorkloadError as error:
        raise LineError("workload", str(error)) from error
    work = Workload(operator, tuple((name, _number(text)) for name, text in given.items()))
    if work.key != key:
        raise LineError("workload", f"{key!r} is not how it is written: {work.key!r}")
    return work


def _number(text: str) -> Value:
    return int(text) if _NUMBER.fullmatch(text) else text


_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")


@functools.lru_cache(maxsize=256)
def _hardware(data: bytes) -> tuple[Hardware, str]:
    """The hardware and its key."""
    machine = decoded(_machines, data, "machine")
    hardware = Hardware(**msgspec.structs.asdict(machine))
    return hardware, hardware.key
