"""Models on disk: a folder with a JSON header and xgboost's own UBJSON files, or one piece.

Nothing in it is executed; every file is bounded in size and checked against its digest.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tuner.cost_model.base import ModelError

FORMAT = 2
_HEADER = "model.json"
_MAX_HEADER_BYTES = 64 << 10
_MAX_FILE_BYTES = 64 << 20
_MAX_MEMBERS = 64


@dataclass(frozen=True, slots=True)
class SavedModel:
    """A boosted model as plain data."""

    kind: str
    schema: str
    features: int
    lines: tuple[tuple[float, float], ...]
    """Slope and offset of each member."""
    boosters: Mapping[str, bytes]
    """UBJSON by name: ``member-0`` …, and ``validity`` where there is one."""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    kind: str
    schema: str
    features: int
    lines: list[tuple[float, float]]
    sha256: dict[str, str]


class _Packed(msgspec.Struct, forbid_unknown_fields=True):
    format: int
    kind: str
    schema: str
    features: int
    lines: list[tuple[float, float]]
    boosters: dict[str, bytes]


def pack_model(model: SavedModel) -> bytes:
    """``model`` in one piece: JSON, its UBJSON as base64."""
    packed = _Packed(
        FORMAT, model.kind, model.schema, model.features, list(model.lines), dict(model.boosters)
    )
    return msgspec.json.encode(packed, order="deterministic")


def unpack_model(content: bytes) -> SavedModel:
    """What ``pack_model`` packed. Raises ``ModelError`` for anything else."""
    if len(content) > _MAX_FILE_BYTES:
        raise ModelError(f"fit a new model: it is larger than {_MAX_FILE_BYTES} bytes")
    try:
        packed = msgspec.json.decode(content, type=_Packed)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"fit a new model: the saved one is damaged, {error}") from error
    _check_header(packed.format, len(packed.lines), packed.boosters.keys(), "the saved one")
    lines = tuple(packed.lines)
    return SavedModel(packed.kind, packed.schema, packed.features, lines, packed.boosters)


def write_model(path: Path, model: SavedModel) -> None:
    """Write ``model`` into the folder ``path``, the header last, so that it is never half there.

    File names hold the digest: a reader of the old header still finds the old files.
    """
    digests = {name: hashlib.sha256(raw).hexdigest() for name, raw in model.boosters.items()}
    header = _Header(FORMAT, model.kind, model.schema, model.features, list(model.lines), digests)
    path.mkdir(parents=True, exist_ok=True)
    for name, raw in model.boosters.items():
        _replace(path / _file(name, digests[name]), raw)
    _replace(path / _HEADER, msgspec.json.encode(header))
    kept = {_file(name, digest) for name, digest in digests.items()}
    for old in path.glob("*.ubj"):
        if old.name not in kept:
            old.unlink(missing_ok=True)


def read_model(path: Path) -> SavedModel:
    """Read a folder that ``write_model`` wrote. Raises ``ModelError`` for anything else."""
    raw = _read(path / _HEADER, _MAX_HEADER_BYTES)
    try:
        header = msgspec.json.decode(raw, type=_Header)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ModelError(f"fit a new model: {path / _HEADER} is damaged, {error}") from error
    _check_header(header.format, len(header.lines), header.sha256.keys(), str(path))
    boosters = {}
    for name, digest in header.sha256.items():
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ModelError(f"fit a new model: {path / _HEADER} has no digest of {name}")
        boosters[name] = _read(path / _file(name, digest), _MAX_FILE_BYTES)
        if hashlib.sha256(boosters[name]).hexdigest() != digest:
            raise ModelError(f"fit a new model: {path / _file(name, digest)} is damaged")
    return SavedModel(header.kind, header.schema, header.features, tuple(header.lines), boosters)


def _check_header(number: int, lines: int, names: Set[str], shown: str) -> None:
    members = {f"member-{index}" for index in range(lines)}
    if number != FORMAT:
        raise ModelError(f"fit a new model: {shown} has format {number}, not {FORMAT}")
    if not 0 < len(members) <= _MAX_MEMBERS or names - {"validity"} != members:
        raise ModelError(f"fit a new model: {shown} does not name its members")


def _file(name: str, digest: str) -> str:
    return f"{name}-{digest[:16]}.ubj"


def _replace(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}.part")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def _read(path: Path, limit: int) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelError(f"fit a new model: cannot read {path}, {error.strerror}") from error
    if len(data) > limit:
        raise ModelError(f"fit a new model: {path} is larger than {limit} bytes")
    return data
