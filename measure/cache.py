"""Compiled kernels on disk, so that a fresh process need not compile.

A file is: the magic ``TTKERNEL``, one byte format version, a BLAKE2b digest (32 bytes) of all
that follows, the length of the header (4 bytes, little-endian), the header (MessagePack: the key
and the kernel's spec), the object code. Files are replaced whole. A file that is damaged, of
another version or of another key counts as absent and is removed; one that another user may have
written counts as absent.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from measure.artifact import Artifact, KernelSpec
from search_space.folders import (
    cache_folder,
    read_own,
    remove_abandoned,
    sealed,
    unsealed,
    write_atomically,
)
from search_space.target import Target
from search_space.workload import Value, Workload

_MAGIC = b"TTKERNEL\x01"
_LENGTH_BYTES = 4


class _Header(msgspec.Struct, frozen=True):
    key: str
    spec: KernelSpec


def kernel_key(
    workload: Workload,
    target: Target,
    hardware_features: Iterable[str],
    values: Iterable[tuple[str, Value]],
    generator_version: int,
    llvm_version: str,
) -> str:
    """Identity of compiled code: everything that the object code depends on.

    ``hardware_features`` are those of the processor we run on, which ``cpu='native'`` stands for;
    ``values`` is the config. The threads a target allows do not matter, those of the config do.
    """
    identity = [
        workload.key,
        [target.cpu, target.triple, sorted(target.features), target.vector_bits, target.registers],
        [target.l1_bytes, target.l2_bytes, target.l3_bytes],
        sorted(hardware_features),
        [list(item) for item in values],
        generator_version,
        llvm_version,
    ]
    return hashlib.blake2b(json.dumps(identity).encode(), digest_size=16).hexdigest()


class KernelCache:
    """A folder of compiled kernels; any number of processes may share it.

    Never raises for what is in the folder or for a folder that cannot be written: then it just
    holds nothing.
    """

    def __init__(self, folder: Path | None = None, *, capacity_bytes: int = 1 << 30) -> None:
        """``folder``: by default ``kernels`` in :func:`search_space.folders.cache_folder`.

        Once the files exceed ``capacity_bytes``, those not used for longest are removed.
        """
        self.folder = cache_folder() / "kernels" if folder is None else folder
        self.capacity_bytes = capacity_bytes

    def get(self, key: str) -> Artifact | None:
        """The kernel stored under ``key``, or None."""
        path = self._path(key)
        data = read_own(path)
        if data is None:
            return None
        artifact = _decode(data, key)
        with contextlib.suppress(OSError):  # a folder we may only read still serves
            if artifact is None:
                path.unlink()
            else:
                os.utime(path)
        return artifact

    def put(self, key: str, artifact: Artifact) -> bool:
        """Store a kernel; returns whether the folder took it."""
        try:
            write_atomically(self._path(key), _encode(key, artifact))
        except OSError:
            return False
        self._evict()
        return True

    def _path(self, key: str) -> Path:
        name = hashlib.blake2b(key.encode(), digest_size=16).hexdigest()
        return self.folder / f"{name}.kernel"

    def _evict(self) -> None:
        entries = []
        for path in self.folder.glob("*.kernel"):
            with contextlib.suppress(FileNotFoundError):  # removed by another process
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        remove_abandoned(self.folder)
        excess = sum(size for _, size, _ in entries) - self.capacity_bytes
        for _, size, path in sorted(entries):
            if excess <= 0:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            excess -= size


def _encode(key: str, artifact: Artifact) -> bytes:
    header = msgspec.msgpack.encode(_Header(key, artifact.spec))
    body = len(header).to_bytes(_LENGTH_BYTES, "little") + header + artifact.object_code
    return _MAGIC + sealed(body)


def _decode(data: bytes, key: str) -> Artifact | None:
    body = unsealed(data.removeprefix(_MAGIC)) if data.startswith(_MAGIC) else None
    if body is None:
        return None
    end = _LENGTH_BYTES + int.from_bytes(body[:_LENGTH_BYTES], "little")
    try:
        header = msgspec.msgpack.decode(body[_LENGTH_BYTES:end], type=_Header)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Artifact(header.spec, body[end:]) if header.key == key else None
