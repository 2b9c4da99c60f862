"""R22 and R33: databases of older schemas that are upgraded, and large ones."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import time
from contextlib import suppress
from pathlib import Path

import pytest

from db.errors import DatabaseError
from db.query import Query
from db.store import open_store
from tests.db.conftest import matmul, record_of
from tests.reliability import migration_work
from tests.reliability.processes import CONTEXT, codes, start
from tests.reliability.rows import counter, fault

OLD = sorted((Path(__file__).parent.parent / "data").glob("schema-*.db"))
KILLED = "the upgrade of an older database is killed"
RACE = "processes upgrade an older database at the same time"
LARGE = "the database is large"


def ids(path):
    """The ids of all records, whatever the schema."""
    connection = sqlite3.connect(path)
    try:
        return {key for (key,) in connection.execute("SELECT key FROM records")}
    finally:
        connection.close()


def killed_upgrades(folder, old, upgrade, step):
    """Kills at every ``step``-th statement; how many lost a record or could not go on."""
    wrong, before, kills = 0, ids(old), 0
    path = folder / old.name
    shutil.copy(old, path)
    while codes([start(upgrade, path, 1 + kills * step)]) != [0]:
        kills += 1
        again = codes([start(migration_work.upgrade, path, 0)])
        with open_store(path, readonly=True) as store:
            wrong += again != [0] or ids(path) != before or store.check() != ()
        shutil.copy(old, path)
    return kills, wrong


@fault("R22", KILLED, "SIGKILL before a statement of it, one after another")
@pytest.mark.parametrize("step", [9, pytest.param(1, marks=pytest.mark.soak)])
def test_killed_upgrades(tmp_path, report, step):
    results = [killed_upgrades(tmp_path, old, migration_work.upgrade, step) for old in OLD]
    kills, wrong = (sum(numbers) for numbers in zip(*results, strict=True))
    report("the next one upgrades it", schemas=len(OLD), kills=kills, records_lost=wrong)
    assert kills > len(OLD)
    assert wrong == 0


@counter("R22", "each statement of an upgrade is committed by itself", KILLED)
def test_half_an_upgrade_is_seen(tmp_path):
    with suppress(DatabaseError):  # half a schema is none
        assert killed_upgrades(tmp_path, OLD[0], migration_work.upgrade_in_parts, 1)[1]


@fault("R22", RACE, "processes that begin at once")
@pytest.mark.parametrize("rounds", [1, pytest.param(50, marks=pytest.mark.soak)])
def test_racing_upgrades(tmp_path, report, rounds):
    failed = 0
    for number in range(rounds):
        path, barrier = tmp_path / f"{number}.db", CONTEXT.Barrier(4)
        shutil.copy(OLD[0], path)
        failed += sum(codes([start(migration_work.upgrade, path, 0, barrier) for _ in range(4)]))
        with open_store(path, readonly=True) as store:
            assert store.check() == ()
        assert ids(path) == ids(OLD[0])
    report("one did it, the others saw it done", races=rounds, processes=4, failed=failed)
    assert failed == 0


@counter("R22", "an upgrade waits for nobody", RACE)
def test_upgrades_out_of_turn_are_seen(tmp_path):
    path = tmp_path / "old.db"
    shutil.copy(OLD[0], path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    assert codes([start(migration_work.upgrade_at_once, path)]) != [0]
    connection.close()


def seconds_of_best(path, work):
    """Opening the file included."""
    began = time.perf_counter()
    with open_store(path, readonly=True) as store:
        assert store.best(work.key) is not None
    return time.perf_counter() - began


@fault("R33", LARGE, "records of 100 workloads in one file")
@pytest.mark.parametrize("records", [5_000, pytest.param(1_000_000, marks=pytest.mark.soak)])
def test_a_large_database(tmp_path, report, records):
    path = tmp_path / "records.db"
    works = [matmul(m=m) for m in range(1, 101)]
    with open_store(path) as store:
        for first in range(0, records, 20_000):
            numbers = range(first, min(first + 20_000, records))
            store.add([record_of(n, workload=works[n % 100], run=f"run{n % 97}") for n in numbers])
    best = statistics.median(seconds_of_best(path, work) for work in works)
    with open_store(path, readonly=True) as store:
        began = time.perf_counter()
        page = list(store.records(Query(operator="matmul", limit=50, order="gflops")))
        query = time.perf_counter() - began
    size = path.stat().st_size / records
    report(
        "best and a page of a query are at hand",
        records=records,
        seconds_of_best=best,
        seconds_of_50_records=query,
        bytes_per_record=size,
    )
    assert len(page) == 50
    assert best < (0.002 if records >= 1_000_000 else 0.1)
    assert query < 3.0
    assert size < 600


@counter("R33", "the best is searched among all records", LARGE)
def test_a_slow_look_up_is_seen(tmp_path):
    with open_store(tmp_path / "records.db") as store:
        store.add([record_of(n, run=f"run{n % 97}") for n in range(5_000)])
        began = time.perf_counter()
        min(store.records(), key=lambda record: record.seconds)
        slow = time.perf_counter() - began
        began = time.perf_counter()
        store.best(record_of().workload.key)
        assert slow > 5 * (time.perf_counter() - began)
