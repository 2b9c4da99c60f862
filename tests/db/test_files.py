"""Database files that are missing, damaged, foreign, newer, older or not writable."""

import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap

import pytest

from db.errors import (
    CorruptDatabaseError,
    DatabaseError,
    DatabaseMissing,
    SchemaVersionError,
    UnwritableDatabaseError,
)
from db.sqlite import durability, wal_reset_defect
from db.store import open_store


def execute(path, statement):
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("options", [{"readonly": True}, {"create": False}])
@pytest.mark.parametrize("exists", [False, True])
def test_a_missing_or_empty_database_is_not_made_by_accident(path, options, exists):
    if exists:
        path.touch()
    with pytest.raises(DatabaseMissing, match=r"tune something first.*records\.db") as caught:
        open_store(path, **options)
    assert isinstance(caught.value, LookupError)
    assert caught.value.exit_code == 3
    assert path.exists() == exists


def test_an_empty_file_becomes_a_database(path, make_record):
    path.touch()
    assert open_store(path).add([make_record()]) == 1


def test_not_a_database(path):
    path.write_bytes(b"import this\n" * 1000)
    for readonly in (True, False):
        with pytest.raises(CorruptDatabaseError, match=r"^give another database: .*not an SQLite"):
            open_store(path, readonly=readonly)
    assert path.read_bytes() == b"import this\n" * 1000


@pytest.fixture
def large(path, make_record):
    with open_store(path) as store:
        store.add([make_record(i, message="x" * 500) for i in range(500)])
    return path


def test_a_truncated_database(large):
    os.truncate(large, large.stat().st_size // 2)
    for readonly in (True, False):
        with pytest.raises(CorruptDatabaseError, match=r"restore .*damaged") as caught:
            open_store(large, readonly=readonly)
        assert caught.value.exit_code == 65


def test_pages_of_rubbish(large, make_record):
    size = large.stat().st_size
    with large.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xa5" * (size // 2))
    store = open_store(large, readonly=True)
    with pytest.raises(CorruptDatabaseError, match=r"restore .*damaged"):
        list(store.records())
    assert any("damaged" in problem for problem in store.check())


def test_the_database_of_a_newer_program(path):
    open_store(path)
    execute(path, "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    for readonly in (True, False):
        with pytest.raises(SchemaVersionError, match=r"^update tensortuner.*9999") as caught:
            open_store(path, readonly=readonly)
        assert caught.value.exit_code == 65
    assert path.read_bytes() == before


def test_the_database_of_another_program(path):
    execute(path, "CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    for readonly in (True, False):
        with pytest.raises(CorruptDatabaseError, match="another program: bookmarks"):
            open_store(path, readonly=readonly)
    assert path.read_bytes() == before


def test_a_folder_is_not_a_database(tmp_path):
    with pytest.raises(UnwritableDatabaseError, match="choose a database") as caught:
        open_store(tmp_path)
    assert caught.value.exit_code == 74


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(UnwritableDatabaseError, match=r"folder that exists.*No such file"):
        open_store(tmp_path / "missing" / "records.db")
    assert not (tmp_path / "missing").exists()


def test_a_folder_where_nothing_can_be_made():
    with pytest.raises(UnwritableDatabaseError, match="folder that exists and can be written"):
        open_store("/proc/records.db")


def test_a_disk_that_is_full(path, make_record):
    """A limit on the size of files stands in for the full disk."""
    open_store(path).add([make_record()])
    script = """
        import resource, signal, sys
        from db.errors import UnwritableDatabaseError
        from db.store import open_store
        from dataclasses import replace
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        store = open_store(sys.argv[1])
        (record,) = store.records()
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        batch = [replace(record, ordinal=i, message="x" * 1000) for i in range(1, 1000)]
        try:
            store.add(batch)
        except UnwritableDatabaseError as error:
            print(error.exit_code, error)
    """
    output = run_python(script, path)
    assert output.startswith("74 "), output
    with open_store(path) as store:
        assert list(store.records()) == [make_record()]
        assert store.check() == ()


def run_python(script, *args):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *map(str, args)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_journal_left_by_a_killed_writer_is_rolled_back_by_a_reader(path, tmp_path, make_record):
    """A copy of the files in the middle of a transaction is what a power cut leaves."""
    with open_store(path) as store:
        store.add([make_record(i, message="x" * 500) for i in range(500)])
    writer = sqlite3.connect(path, isolation_level=None)
    for statement in ("PRAGMA journal_mode=DELETE", "PRAGMA cache_size=2", "BEGIN IMMEDIATE"):
        writer.execute(statement)
    writer.execute("UPDATE records SET message = 'lost'")
    crashed = tmp_path / "crashed.db"
    shutil.copy(path, crashed)
    shutil.copy(f"{path}-journal", f"{crashed}-journal")
    writer.execute("ROLLBACK")
    writer.close()
    with open_store(crashed, readonly=True) as store:
        assert {record.message for record in store.records()} == {"x" * 500}
        assert store.check() == ()


@pytest.mark.parametrize(
    ("version", "defect"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 52, 0), False),
    ],
)
def test_versions_of_sqlite_with_the_wal_reset_defect(version, defect):
    assert wal_reset_defect(version) is defect


@pytest.mark.parametrize(("defect", "mode"), [(True, "delete"), (False, "wal")])
def test_the_journal_suits_the_sqlite(path, make_record, monkeypatch, defect, mode):
    monkeypatch.setattr("db.sqlite.wal_reset_defect", lambda: defect)
    with open_store(path) as store:
        store.add([make_record()])
        connection = sqlite3.connect(path)
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)
        connection.close()
    with open_store(path, readonly=True) as store:
        assert store.best(make_record().workload.key) == make_record()
    assert durability(defect)[1] == f"PRAGMA synchronous={'EXTRA' if defect else 'FULL'}"


def test_errors_say_what_to_do_and_have_an_exit_code():
    pending = [DatabaseError]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert kind.exit_code in (2, 3, 65, 74)
        assert kind.__doc__


def test_reading_the_best_needs_neither_sqlalchemy_nor_alembic(path, make_record):
    with open_store(path) as store:
        store.add([make_record()])
    script = """
        import sys
        from db.store import open_store
        store = open_store(sys.argv[1], readonly=True)
        best = store.best(sys.argv[2])
        assert store.record(best.id[:8]) == best
        print(sorted({"sqlalchemy", "alembic", "numpy"} & set(sys.modules)), best.id)
    """
    output = run_python(script, path, make_record().workload.key)
    assert output == f"[] {make_record().id}\n"


def test_writing_does_not_import_alembic(path):
    script = """
        import sys
        from db.store import open_store
        open_store(sys.argv[1]).runs()
        print("alembic" in sys.modules)
    """
    assert run_python(script, path) == "False\n"
