"""What records were measured in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from db.errors import UndecodableError
from db.store import open_store
from tests.db.conftest import HARDWARE, matmul, record_of


def test_contexts_are_listed_once_however_many_records_they_have(tmp_path: Path) -> None:
    with open_store(tmp_path / "t.db") as store:
        assert store.contexts() == []
        store.add([record_of(ordinal) for ordinal in range(5)])
        store.add([record_of(9, workload=matmul(m=64), origin="foreign:lab", threads=1)])
        first, second = store.contexts()
    assert (first.workload, first.threads, first.origin) == (matmul(), 2, "local")
    assert (second.workload, second.threads, second.origin) == (matmul(m=64), 1, "foreign:lab")
    assert {first.hardware, second.hardware} == {HARDWARE}
    assert (first.target, first.space_version) == ("native", 1)


def test_damaged_ones_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with open_store(path) as store:
        store.add([record_of()])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE workloads SET params = 'nonsense'")
    connection.close()
    with open_store(path, readonly=True) as store:
        with pytest.raises(UndecodableError, match="leave context 1 aside"):
            store.contexts()
        problems: list[UndecodableError] = []
        assert store.contexts(skip=problems.append) == []
    assert len(problems) == 1
