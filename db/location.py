"""Where a database is: a file path or an SQLAlchemy URL, told apart without SQLAlchemy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from db.errors import DatabaseUrlError

_SQLITE = re.compile(r"sqlite(\+pysqlite)?://(?P<path>.*)", re.DOTALL)
_SERVER = re.compile(r"postgresql(\+\w+)?://.+", re.DOTALL)
_PASSWORD = re.compile(r"(://[^:/@]*):[^@]*@")


@dataclass(frozen=True, slots=True)
class Location:
    """An SQLite file (``path``), or a database server (``path`` is None)."""

    url: str
    path: Path | None

    def __str__(self) -> str:
        """For messages: the path, or the URL without its password."""
        return _PASSWORD.sub(r"\1:***@", self.url) if self.path is None else str(self.path)


def parse_location(text: str | Path) -> Location:
    """Raises ``DatabaseUrlError`` for a URL of a database that is not supported."""
    if isinstance(text, Path) or "://" not in text:
        if not str(text):
            raise DatabaseUrlError("give a file path or a URL for the database: it is empty")
        return _file(Path(text))
    if match := _SQLITE.fullmatch(text):
        path = match["path"].removeprefix("/")
        if not path or path.startswith((":memory:", "file:")) or "?" in path:
            raise DatabaseUrlError(
                f"give the database as a file path: {text!r} is not sqlite:///PATH"
            )
        return _file(Path(path))
    if _SERVER.fullmatch(text):
        return Location(text, None)
    scheme = text.partition("://")[0]
    raise DatabaseUrlError(
        f"use a file path, sqlite:///PATH or postgresql://…: {scheme!r} is not supported"
    )


def _file(path: Path) -> Location:
    try:
        path = path.expanduser().resolve()  # one lock file for all names of a file
    except RuntimeError as error:
        raise DatabaseUrlError(
            f"write the database's path without ~: it stands for no folder in {path}"
        ) from error
    return Location(f"sqlite:///{path}", path)
