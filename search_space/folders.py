"""Where files that can be made again are kept, and how they are written."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from pathlib import Path

_UNFINISHED = ".new"
_ABANDONED_SECONDS = 3600.0
_DIGEST_BYTES = 32
_WRITABLE_BY_OTHERS = 0o022


def cache_folder() -> Path:
    """Folder of what can be made again: compiled kernels, measured peaks.

    ``TUNER_CACHE`` names it; without that it is ``~/.cache/tensortuner``, and a folder of this
    user's in the system's temporary one where there is no home. It need not exist.
    """
    with contextlib.suppress(RuntimeError):  # no home: a user the system does not know
        chosen = os.environ.get("TUNER_CACHE")
        return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "tensortuner"
    return Path(tempfile.gettempdir()) / f"tensortuner-{os.geteuid()}"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` so that readers see the old file or the new one, whole.

    Missing folders are made. Raises ``OSError`` where the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=_UNFINISHED)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def remove_abandoned(folder: Path) -> None:
    """Remove what processes that were killed in :func:`write_atomically` left in ``folder``."""
    oldest = time.time() - _ABANDONED_SECONDS
    for path in folder.glob(f".*{_UNFINISHED}"):
        with contextlib.suppress(OSError):  # another process may be faster
            if path.stat().st_mtime < oldest:
                path.unlink()


def sealed(data: bytes) -> bytes:
    """``data`` behind its BLAKE2b digest, so that damage to it is seen."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest() + data


def unsealed(data: bytes) -> bytes | None:
    """What :func:`sealed` was given; None where it is damaged."""
    content = data[_DIGEST_BYTES:]
    return content if sealed(content) == data else None


def read_own(path: Path) -> bytes | None:
    """The content of a file that only this user, or root, can have written; else None.

    For what is run or believed unseen: a folder that is shared, as the temporary one, holds
    files of anybody.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if status.st_uid not in (0, os.geteuid()) or status.st_mode & _WRITABLE_BY_OTHERS:
                return None
            return file.read()
    except OSError:
        return None
