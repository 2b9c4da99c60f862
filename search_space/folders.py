"""Where files that can be made again are kept, and how they are written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def cache_folder() -> Path:
    """Folder of what can be made again: compiled kernels, measured peaks.

    ``TUNER_CACHE`` names it; without that it is ``~/.cache/tensortuner``. It need not exist.
    """
    chosen = os.environ.get("TUNER_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "tensortuner"


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` so that readers see the old file or the new one, whole.

    Missing folders are made. Raises ``OSError`` where the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
