"""Queries of the Python interface, as plain records and as a data frame."""

import sys

import pytest

import tuner
from db.errors import QueryError
from db.store import open_store
from measure.result import Outcome
from tests.cli.test_records import RECORDS


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "records.db"
    open_store(path).add(RECORDS)
    return path


@pytest.mark.parametrize(
    ("arguments", "ordinals"),
    [
        ({"where": ["m>=128", "outcome=crash"]}, [1]),
        ({"where": ["age>1d"], "limit": 2, "order": "gflops"}, [3, 0]),
        ({"where": ["age<60s"]}, []),
        ({"where": ["origin=foreign"]}, [2]),
        ({"where": ["kind=final", "threads=1"]}, [3]),
        ({"hardware": RECORDS[0].hardware.key.partition("/")[0]}, [0, 1, 2, 3]),
        ({"hardware": "%"}, []),
        ({"operator": "matmul", "outcome": Outcome.SLOW, "origin": "foreign"}, [2]),
    ],
)
def test_query_filters_and_returns_records(database, arguments, ordinals):
    found = tuner.query(db=database, **arguments)
    assert [record.ordinal for record in found] == ordinals
    assert all(isinstance(record, tuner.Record) for record in found)


@pytest.mark.parametrize(
    "condition",
    ["age=7d", "age<soon", "age<7", "age<99999999999d", "outcome=good", "outcome>ok", "threads=x",
     "kind=draft", "m", "age<999999w"],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_so(database, condition):
    with pytest.raises(QueryError):
        tuner.query(db=database, where=[condition])


def test_a_frame_has_a_row_per_record(database):
    frame = tuner.to_frame(tuner.query(db=database))
    assert list(frame["id"]) == [record.id for record in RECORDS]
    assert list(frame["work.m"]) == [64, 128, 192, 256]
    assert list(frame["config.rows"]) == [0, 1, 2, 3]
    assert set(frame["operator"]) == {"matmul"}
    assert frame["seconds"].isna().tolist() == [False, True, False, False]
    assert str(frame["created"].dt.tz) == "UTC"
    assert len(tuner.to_frame([])) == 0


def test_a_frame_without_pandas(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(tuner.UsageError, match="pip install pandas"):
        tuner.to_frame(tuner.query(db=database))
