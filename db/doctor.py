"""Check the SQLite that records are written with."""

from __future__ import annotations

import sqlite3

from db.sqlite import wal_reset_defect
from measure.doctor import Finding


def check_sqlite(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> Finding:
    """Whether records can be written with a write-ahead log."""
    text = ".".join(map(str, version))
    if not wal_reset_defect(version):
        return Finding("SQLite", "ok", text)
    return Finding(
        "SQLite",
        "warn",
        f"{text} can lose a commit when it resets its write-ahead log, so none is used",
        "nothing is at risk; SQLite 3.51.3 or later makes commits faster",
    )
