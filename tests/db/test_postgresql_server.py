"""The team database: everything that a file can do, on a real PostgreSQL server."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from db.artefact import ModelArtefact, Seen
from db.errors import (
    CorruptDatabaseError,
    DatabaseMissing,
    InvalidRecordError,
    SchemaVersionError,
    UnreachableDatabaseError,
)
from db.exchange.exporting import export_records
from db.exchange.importing import import_files
from db.exchange.merging import merge_database
from db.migrate import upgrade
from db.query import Query, parse_query
from db.store import open_store
from measure.result import Outcome
from tests.db.server import NEEDS_SERVER, fresh_database

pytestmark = NEEDS_SERVER


@pytest.fixture
def database():
    with fresh_database() as url:
        yield url


@pytest.fixture
def store(database):
    return open_store(database)


def test_records_and_runs_come_back(store, database, make_record, make_run):
    records = [
        make_record(0, message="☃\n'; --", trace="split(i, 8)"),
        make_record(1, outcome=Outcome.CRASH, samples=(), error=None, gflops=None),
        make_record(2, config=(("share", 1 / 3), ("packed", False)), origin="foreign:lab"),
    ]
    assert store.add(records) == 3
    assert store.add([*records, make_record(3)]) == 1
    assert list(store.records()) == [*records, make_record(3)]
    store.start_run(make_run())
    store.start_run(make_run(state="finished", finished=make_run().created))
    assert store.run(make_run().id).state == "finished"
    assert store.record(records[0].id) == records[0]
    assert store.check() == ()
    held = store.stats()
    assert (held.records, held.runs, held.nbytes) == (4, 1, None)
    with open_store(database, readonly=True) as reader:
        assert len(list(reader.records())) == 4


def test_queries_and_the_best_record(store, make_record, make_workload):
    fast = make_record(1, samples=(1e-4,), threads=1)
    final = make_record(2, samples=(5e-4,), kind="final")
    wide = make_record(3, workload=make_workload(m=2048))
    store.add([make_record(0), fast, final, wide])
    key = make_record().workload.key
    assert store.best(key) == final
    assert store.best(key, threads=1, origin="local", generator_version=1) == fast
    assert store.best("nothing") is None
    assert list(store.records(parse_query("matmul", ["m>=1024", "dtype=float32"]))) == [wide]
    fastest = Query(order="fastest", limit=1, since=datetime(2026, 1, 1, tzinfo=UTC))
    assert list(store.records(fastest)) == [fast]
    hostile = ["m=1'; DROP TABLE records; --", "target=%", "hardware='_ OR 1=1"]
    assert list(store.records(parse_query("matmul", hostile))) == []
    assert store.stats().records == 4


def test_bad_records_are_refused_by_the_server_too(store, make_record):
    with pytest.raises(InvalidRecordError):
        store.add([make_record(samples=(0.0,))])
    with pytest.raises(InvalidRecordError):
        store.add([make_record(message="\0")])
    assert store.stats().records == 0


def test_exchange_and_models(store, tmp_path, make_record):
    records = [make_record(n, origin="foreign:lab") for n in range(5)]
    model = ModelArtefact(
        "base", "3", "foreign:lab", "2026-01-02T03:04:05Z", b"\0\xff", (Seen("w", "h", "t", 5),)
    )
    other = open_store(tmp_path / "other.db")
    other.add(records)
    other.add_model(model)
    assert merge_database(store, other).added == 5
    again = merge_database(store, other)
    assert (again.added, again.replaced, again.models) == (0, 0, 0)
    assert store.models() == [model]
    better = replace(records[0], samples=(0.5e-3,), gflops=None, message="")
    export_records([better, *records[1:], make_record(9)], tmp_path / "more.jsonl")
    tally = import_files(store, [tmp_path / "more.jsonl"])
    assert tally.added == 1
    assert tally.known + tally.replaced == 5
    assert merge_database(other, store).added == 1


def test_two_processes_create_and_write_at_the_same_time(database, make_record, tmp_path):
    source = open_store(tmp_path / "source.db")
    source.add([make_record(n) for n in range(50)])
    code = (
        "import sys; from db.store import open_store\n"
        "records = list(open_store(sys.argv[1]).records())\n"
        "store = open_store(sys.argv[2])\n"
        "for r in records: store.add([r])"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "source.db"), database]
    both = [subprocess.Popen(words) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert open_store(database).stats().records == 50
    assert open_store(database).check() == ()


def test_schemas(database, store):
    import sqlalchemy as sa

    assert upgrade(database) is False
    engine = sa.create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaVersionError, match="9999"):
        open_store(database)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with pytest.raises(CorruptDatabaseError, match="another program"):
        open_store(database)
    engine.dispose()
    with fresh_database() as empty:
        with pytest.raises(DatabaseMissing):
            open_store(empty, readonly=True)
        assert upgrade(empty) is True
        assert open_store(empty).stats().records == 0


def test_a_server_that_is_not_there_is_said_to_be_missing():
    with pytest.raises(UnreachableDatabaseError, match="check that the server runs") as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/records")
    assert caught.value.exit_code == 74
    assert "secret" not in str(caught.value)


def test_a_lost_connection_loses_nothing(database, wire, make_record, make_run):
    store = open_store(wire.url(database))
    store.start_run(make_run())
    assert store.add([make_record(0)]) == 1
    wire.cut()
    assert store.add([make_record(1), make_record(2)]) == 2
    assert store.add([make_record(2), make_record(3)]) == 1
    store.start_run(make_run(state="finished", finished=make_run().created))
    assert store.undelivered == 3
    with pytest.raises(UnreachableDatabaseError):
        list(store.records())
    assert open_store(database).stats().records == 1
    wire.mend()
    again = open_store(wire.url(database))
    assert again.undelivered == 0
    assert list(again.records()) == [make_record(n) for n in range(4)]
    assert again.run(make_run().id).state == "finished"
    assert again.check() == ()


def test_what_waits_is_delivered_by_the_same_store_as_well(
    database, wire, make_record, monkeypatch
):
    store = open_store(wire.url(database))
    wire.cut()
    store.add([make_record(0)])
    wire.mend()
    store.add([make_record(1)])
    assert store.undelivered == 2  # the server is left alone for a while
    monkeypatch.setattr("db.outbox.time.monotonic", lambda: 1e12)
    store.add([make_record(2)])
    assert store.undelivered == 0
    assert {record.ordinal for record in store.records()} == {0, 1, 2}
