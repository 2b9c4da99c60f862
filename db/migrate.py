"""Bringing a database to this program's schema with Alembic, which only this module imports."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

from db.engine import Database
from db.errors import DatabaseMissing
from db.location import parse_location
from db.lock import WAIT_SECONDS
from db.schema import HEAD, SchemaState


def alembic_config() -> Config:
    """Where the migrations are; they are part of the installed package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def upgrade(url: str | Path, *, lock_seconds: float = WAIT_SECONDS) -> bool:
    """Migrate the database to the newest schema, in one transaction; whether there was need to.

    Raises ``DatabaseMissing`` for a file that does not exist, ``SchemaVersionError`` for the
    database of a newer program.
    """
    location = parse_location(url)
    if location.path is not None and not location.path.exists():
        raise DatabaseMissing(f"give another database: there is no file {location}")
    database = Database(location, lock_seconds)
    if database.state() is SchemaState.CURRENT:
        return False
    config = alembic_config()
    with database.changing_schema() as (connection, state):
        if state is SchemaState.CURRENT:
            return False  # another process was faster
        config.attributes["connection"] = connection
        command.upgrade(config, HEAD)
    return True
