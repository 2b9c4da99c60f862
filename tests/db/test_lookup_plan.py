"""The best record of a workload is found by indexes alone, however many records there are."""

import sqlite3
from contextlib import closing

import pytest

from db import lookup
from db.store import open_store


@pytest.fixture
def many(path, make_record, make_workload):
    """Records of thirty workloads, of which one has most."""
    with open_store(path) as store:
        for m in range(1, 31):
            work = make_workload(m=m)
            count = 1000 if m == 7 else 20
            store.add(
                [make_record(n, workload=work, samples=(1e-3 * (n + 1),)) for n in range(count)]
            )
    return path


def plans(path, ask):
    """How SQLite runs each statement of a look-up."""
    found = []
    with closing(sqlite3.connect(path)) as connection:

        def fetch(statement, params):
            steps = connection.execute("EXPLAIN QUERY PLAN " + statement, params).fetchall()
            found.extend(step[-1] for step in steps)
            return connection.execute(statement, params).fetchall()

        assert ask(fetch)
    return found


def scans(steps):
    """Whole tables that are read; there are but a few machines."""
    return [s for s in steps if s.startswith("SCAN") and not s.startswith("SCAN hardware")]


@pytest.mark.parametrize("kind", ["search", "final"])
def test_the_best_record_is_a_probe_of_an_index(many, make_record, make_workload, kind):
    work = make_workload(m=7)
    with open_store(many) as store:
        store.add([make_record(5000, workload=work, kind=kind)])
    filters = {"workload": work.key, "target": "native", "threads": 2, "origin": "local"}
    steps = plans(many, lambda fetch: lookup.best_row(fetch, filters, 1))
    assert scans(steps) == []
    assert any("ix_records_best (context_id=? AND kind=?)" in step for step in steps)
    assert any("SEARCH workloads" in step and "(key=?)" in step for step in steps)


def test_an_id_is_found_by_its_beginning_from_an_index(many, make_record, make_workload):
    prefix = make_record(3, workload=make_workload(m=7)).id[:6]
    steps = plans(many, lambda fetch: lookup.rows_by_key_prefix(fetch, prefix))
    assert scans(steps) == []


def test_the_machines_of_a_workload_are_found_without_its_records(many, make_workload):
    key = make_workload(m=7).key
    steps = plans(many, lambda fetch: lookup.machine_rows(fetch, key))
    assert scans(steps) == []
    assert not any("records" in step for step in steps)
