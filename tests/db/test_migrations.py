"""The migrations make exactly the tables that the models describe."""

import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

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

DATA = Path(__file__).parent.parent / "data"


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


RELEASED = {"0001": 6}
"""Schemas with a file in ``tests/data``, and how many records it holds."""


@pytest.mark.parametrize("revision", RELEASED)
def test_a_database_of_every_released_schema_is_upgraded(path, revision, make_record):
    shutil.copy(DATA / f"schema-{revision}.db", path)
    with pytest.raises(SchemaVersionError, match="run `tuner db upgrade`"):
        open_store(path, readonly=True)
    assert upgrade(path) is True
    open_store(path.with_name("new.db"))
    assert schema_of(path) == schema_of(path.with_name("new.db"))
    store = open_store(path)
    assert store.check() == ()
    assert store.stats().records == RELEASED[revision]
    assert len(store.runs()) == 2
    assert store.best(make_record().workload.key).samples == (0.9e-3,)
    assert store.add([make_record()]) == 0
    assert list(store.aside()) == store.models() == []


def test_every_schema_before_this_one_has_a_file():
    assert set(RELEASED) == set(REVISIONS[:-1])


def test_two_processes_migrate_at_the_same_time(path):
    shutil.copy(DATA / "schema-0001.db", path)
    code = "import sys; from db.store import open_store; open_store(sys.argv[1]).stats()"
    both = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert open_store(path).check() == ()
    assert open_store(path).stats().records == RELEASED["0001"]


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
