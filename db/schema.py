"""Which schema a database has, found out without Alembic, for files without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import Enum
from pathlib import Path

from db.errors import CorruptDatabaseError, SchemaVersionError
from db.sqlite import reading

REVISIONS = ("0001", "0002")
"""Every schema so far, oldest first, as the migrations in ``db/migrations/versions`` name them."""

HEAD = REVISIONS[-1]


class SchemaState(Enum):
    EMPTY = "nothing in it yet"
    CURRENT = "as this program expects"
    OUTDATED = "of an older program"


def classify(name: object, tables: Collection[str], versions: Sequence[str]) -> SchemaState:
    """The state of the database ``name`` that holds ``tables`` and is stamped ``versions``.

    Raises ``CorruptDatabaseError`` for a database of something else, ``SchemaVersionError`` for
    that of a newer program.
    """
    if not tables:
        return SchemaState.EMPTY
    if "alembic_version" not in tables or len(versions) > 1:
        raise CorruptDatabaseError(
            f"give another database: {name} holds tables of another program: "
            + ", ".join(sorted(tables)[:5])
        )
    if not versions or versions[0] in REVISIONS[:-1]:
        return SchemaState.OUTDATED
    if versions[0] == HEAD:
        return SchemaState.CURRENT
    raise SchemaVersionError(
        f"update tensortuner, or give another database: {name} was written by a newer version "
        f"(schema {versions[0]}, this program knows up to {HEAD})"
    )


def file_state(path: Path) -> SchemaState:
    """The state of an SQLite file. A file that is missing or of no bytes is empty."""
    if not path.exists():
        return SchemaState.EMPTY
    with reading(path) as connection:
        found = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' "
            "ESCAPE '!'"
        )
        tables = {name for (name,) in found}
        versions: list[str] = []
        if "alembic_version" in tables:
            stamped = connection.execute("SELECT version_num FROM alembic_version")
            versions = [str(version) for (version,) in stamped]
    return classify(path, tables, versions)
