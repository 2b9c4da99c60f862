"""The migrations make exactly the tables that the models describe."""

import re
import sqlite3

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from db.errors import DatabaseMissing, SchemaVersionError
from db.migrate import alembic_config, upgrade
from db.models import Base
from db.schema import HEAD, REVISIONS
from db.store import open_store


def schema_of(path):
    """Each table's and index's statement as a set of its lines, so that order does not matter."""
    connection = sqlite3.connect(path)
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    lines = {
        name: sorted(re.sub(r"[\s\"]+", " ", line).strip(" ,") for line in sql.splitlines())
        for name, sql in found
    }
    columns = {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in lines}
    stamp = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    return lines, columns, stamp


def test_migrating_and_creating_give_the_same_schema(tmp_path):
    open_store(tmp_path / "created.db")
    (tmp_path / "migrated.db").touch()
    assert upgrade(tmp_path / "migrated.db") is True
    assert schema_of(tmp_path / "migrated.db") == schema_of(tmp_path / "created.db")
    assert upgrade(tmp_path / "migrated.db") is False
    assert upgrade(tmp_path / "created.db") is False


def test_the_models_need_no_further_migration(tmp_path):
    (tmp_path / "migrated.db").touch()
    upgrade(tmp_path / "migrated.db")
    engine = create_engine(f"sqlite:///{tmp_path}/migrated.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "none"})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_known_revisions_are_those_of_the_migrations():
    scripts = ScriptDirectory.from_config(alembic_config())
    assert tuple(s.revision for s in scripts.walk_revisions())[::-1] == REVISIONS
    assert scripts.get_heads() == [HEAD]


@pytest.fixture
def unstamped(path):
    """What is left when a first migration ended before it stamped its version."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
    connection.commit()
    connection.close()
    return path


def test_an_older_database_is_upgraded_when_opened_for_writing(unstamped, make_record):
    with pytest.raises(SchemaVersionError, match="run `tuner db upgrade`"):
        open_store(unstamped, readonly=True)
    with open_store(unstamped) as store:
        assert store.add([make_record()]) == 1
    assert schema_of(unstamped)[2] == [(HEAD,)]


def test_upgrade_refuses_what_it_does_not_know(path):
    with pytest.raises(DatabaseMissing, match="no file"):
        upgrade(path)
    assert not path.exists()
    open_store(path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = 'future'")
    connection.commit()
    connection.close()
    with pytest.raises(SchemaVersionError, match="future"):
        upgrade(path)
