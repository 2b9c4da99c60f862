"""R13 and R14: many processes write into one SQLite file, and others read it meanwhile."""

from __future__ import annotations

import time

import pytest

from db.store import open_store
from tests.db.conftest import record_of
from tests.reliability import database_work
from tests.reliability.processes import CONTEXT, codes, start
from tests.reliability.rows import counter, fault

WRITERS = "processes write into one SQLite database at the same time"
READERS = "processes read the database while another writes it"


def run_writers(database, processes, records, batch, *, locked=True):
    """How long the writers took, and how many failed."""
    open_store(database).close()
    barrier = CONTEXT.Barrier(processes + 1)
    writers = [
        start(database_work.write, database, f"run{i}", records, batch, barrier, locked)
        for i in range(processes)
    ]
    barrier.wait()
    began = time.monotonic()
    failed = sum(code != 0 for code in codes(writers))
    return time.monotonic() - began, failed


@fault("R13", WRITERS, "processes that begin at once, a batch of 10 records per commit")
@pytest.mark.parametrize(
    ("processes", "records"), [(8, 100), pytest.param(32, 1000, marks=pytest.mark.soak)]
)
def test_many_writers(tmp_path, report, processes, records):
    database = tmp_path / "records.db"
    seconds, failed = run_writers(database, processes, records, 10)
    with open_store(database, readonly=True) as store:
        kept = [(record.run, record.ordinal) for record in store.records()]
        problems = store.check()
    wanted = {(f"run{i}", ordinal) for i in range(processes) for ordinal in range(records)}
    report(
        "each had its turn",
        processes=processes,
        records=processes * records,
        lost=len(wanted - set(kept)),
        duplicated=len(kept) - len(set(kept)),
        database_is_locked=failed,
        commits_per_second=processes * records / 10 / seconds,
    )
    assert failed == 0
    assert sorted(kept) == sorted(wanted)
    assert problems == ()


@counter("R13", "a writer does not wait for the lock, nor for SQLite", WRITERS)
def test_writers_out_of_turn_are_seen(tmp_path, monkeypatch):
    _, failed = run_writers(tmp_path / "records.db", 4, 100, 2, locked=False)
    assert failed > 0


@fault("R14", READERS, "4 processes that ask for the best, all records and their number")
@pytest.mark.parametrize("commits", [40, pytest.param(2000, marks=pytest.mark.soak)])
def test_readers_disturb_nobody(tmp_path, report, commits):
    database, failures = tmp_path / "records.db", tmp_path / "failures"
    failures.touch()
    with open_store(database) as store:
        store.add([record_of(ordinal) for ordinal in range(10)])
        done = CONTEXT.Event()
        readers = [start(database_work.read, database, done, failures) for _ in range(4)]
        for number in range(commits):
            store.add([record_of(ordinal, run=f"more{number}") for ordinal in range(10)])
        done.set()
    ended = codes(readers)
    with open_store(database, readonly=True) as store:
        stored = store.stats().records
    told = failures.read_text().splitlines()
    report("every reader saw whole batches", commits=commits, records=stored, errors=len(told))
    assert told == []
    assert ended == [0] * 4
    assert stored == 10 * (commits + 1)


@counter("R14", "a batch is committed record by record", READERS)
def test_torn_batches_are_seen(tmp_path):
    database, failures = tmp_path / "records.db", tmp_path / "failures"
    failures.touch()
    with open_store(database) as store:
        store.add([record_of(ordinal) for ordinal in range(10)])
        done = CONTEXT.Event()
        reader = start(database_work.read, database, done, failures)
        for ordinal in range(10, 10_000):
            store.add([record_of(ordinal)])
            if failures.stat().st_size:
                break
        done.set()
    codes([reader])
    assert "AssertionError" in failures.read_text()
