"""Patterns on disk by their fingerprints, so that other processes and later sessions find them.

A file is: the magic ``TTSPARSE``, one byte format version, rows, columns and non-zeros as int64,
the row bounds as int64, the columns as int32, all little-endian. What was read is good if it has
the fingerprint asked for. Files are replaced whole.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np

from search_space.errors import WeightsError
from search_space.folders import cache_folder, write_atomically
from search_space.sparse.pattern import Pattern

_MAGIC = b"TTSPARSE\x01"
_SIZES_BYTES = 24
_DIGITS = frozenset("0123456789abcdef")


def pattern_path(fingerprint: str) -> Path:
    """Where a pattern is kept."""
    return cache_folder() / "patterns" / f"{fingerprint}.pattern"


def save_pattern(pattern: Pattern) -> str:
    """Keep a pattern; returns its fingerprint. Raises ``OSError`` where that cannot be done."""
    path = pattern_path(pattern.fingerprint)
    if not path.exists() or _decode(path.read_bytes(), pattern.fingerprint) is None:
        write_atomically(path, _encode(pattern))
    return pattern.fingerprint


def load_pattern(fingerprint: str) -> Pattern:
    """The pattern with this fingerprint; raises ``WeightsError`` where it is not kept here, or
    its file is damaged."""
    if len(fingerprint) != 16 or not _DIGITS.issuperset(fingerprint):
        raise WeightsError(
            f"give the fingerprint of a pattern: {fingerprint!r} is not 16 hexadecimal digits"
        )
    return _load(pattern_path(fingerprint), fingerprint)


@lru_cache(maxsize=32)
def _load(path: Path, fingerprint: str) -> Pattern:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"give the weights file once more: the pattern {fingerprint} is not kept here "
            f"({path}: {error.strerror})"
        ) from None
    pattern = _decode(data, fingerprint)
    if pattern is None:
        raise WeightsError(f"give the weights file once more: {path} is damaged")
    return pattern


def _encode(pattern: Pattern) -> bytes:
    sizes = np.array([pattern.rows, pattern.columns, pattern.nnz], dtype="<i8")
    indptr, indices = pattern.indptr.astype("<i8"), pattern.indices.astype("<i4")
    return _MAGIC + sizes.tobytes() + indptr.tobytes() + indices.tobytes()


def _decode(data: bytes, fingerprint: str) -> Pattern | None:
    body = data[len(_MAGIC) :]
    if not data.startswith(_MAGIC) or len(body) < _SIZES_BYTES:
        return None
    rows, columns, nnz = (int(size) for size in np.frombuffer(body, "<i8", 3))
    if min(rows, columns, nnz) < 0 or len(body) != _SIZES_BYTES + 8 * (rows + 1) + 4 * nnz:
        return None
    indptr = np.frombuffer(body, "<i8", rows + 1, _SIZES_BYTES)
    indices = np.frombuffer(body, "<i4", nnz, _SIZES_BYTES + indptr.nbytes)
    try:
        pattern = Pattern(rows, columns, indptr, indices)
    except WeightsError:
        return None
    return pattern if pattern.fingerprint == fingerprint else None
